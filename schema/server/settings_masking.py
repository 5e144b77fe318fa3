"""The settings without their secrets, for people to read."""

import json
import re
from typing import Any

from schema.server.settings import Settings

MASK = "********"
_SECRET_PARAMETER = re.compile(r"(?i)([?&][^=&]*(?:password|token|secret|key|properties)[^=&]*=)[^&]*")


def mask_settings(settings: Settings) -> dict[str, Any]:
    """All settings as JSON values. Passwords in URLs, tokens and keys are replaced by a mask."""
    values: dict[str, Any] = json.loads(settings.model_dump_json())
    for section, model in (("documents", settings.documents), ("series", settings.series)):
        if model.url is not None:
            values[section]["url"] = mask_url(model.url.get_secret_value())
    if settings.series.token is not None:
        values["series"]["token"] = MASK
    if settings.auth.metrics_token is not None:
        values["auth"]["metrics_token"] = MASK
    values["secrets"]["keys"] = [MASK for _ in settings.secrets.keys]
    return values


def mask_url(url: str) -> str:
    """The URL with its password, and parameters that may hold secrets, replaced by a mask."""
    scheme, separator, rest = url.partition("://")
    # The last @ ends the credentials: an unescaped one inside a password must not show the rest of it.
    credentials, at, address = rest.rpartition("@")
    if at:
        user, colon, _ = credentials.partition(":")
        rest = f"{user}{colon and f':{MASK}'}@{address}"
    return scheme + separator + _SECRET_PARAMETER.sub(rf"\g<1>{MASK}", rest)
