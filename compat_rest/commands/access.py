"""Who may use the gateway that `serve` starts: said at the start, and checked before others can reach it."""

import asyncio
from typing import TYPE_CHECKING

from compat_rest.commands.terminal import run_and_close

if TYPE_CHECKING:
    from schema.server.settings import Settings

CREATE = "sync-gateway keys create NAME --role operator"


def describe_access(settings: "Settings") -> str:
    """What the banner says of credentials.

    Raises `BadUserInput` if other machines can reach the gateway, no credential exists, and the operator
    has not allowed it.
    """
    from schema.server.origins import is_loopback
    from stores.contracts.errors import BadUserInput
    from stores.embedded import has_had_api_keys

    server = settings.server
    anonymous = settings.compat.anonymous
    old_routes = (
        f"; old routes without a key from {', '.join(anonymous.networks)} as {anonymous.role}"
        if anonymous.networks
        else ""
    )
    if settings.auth.issuers:
        issuers = ", ".join(issuer.issuer for issuer in settings.auth.issuers)
        return f"API keys or tokens of {issuers} are required{old_routes}"
    has_keys = asyncio.run(_has_keys(settings))
    if has_keys:
        return f"API keys are required{old_routes}"
    if has_keys is None:
        return f"API keys are checked as soon as the document store answers{old_routes}"
    if has_had_api_keys(settings.data):
        return f"API keys are required, but none is stored any more: create one with `{CREATE}`{old_routes}"
    if is_loopback(server.host) or server.open:
        return f"open: whoever reaches it may do everything, until `{CREATE}` makes a key"
    raise BadUserInput(
        f"{server.host} can be reached from other machines, and there is no API key yet. Create one with"
        f" `{CREATE}`, serve on 127.0.0.1, or pass --open to let everybody who reaches the port do"
        " everything."
    )


def list_access_warnings(settings: "Settings", access: str) -> list[str]:
    """What the operator should know of who can use the gateway, or read along; `access` is the banner's."""
    from schema.server.origins import is_loopback

    server = settings.server
    if is_loopback(server.host):
        return []
    if access.startswith("open"):
        return [
            f"OPEN TO EVERYBODY: whoever reaches {server.host} port {server.port} may read, change and delete"
            f" everything. Create an API key with `{CREATE}` to end this."
        ]
    if server.tls.certificate is None and not server.trusted_proxies:
        return [
            "keys are sent in plain text, because this address is not encrypted: set server.tls, or serve"
            " behind a proxy that ends TLS and list it in server.trusted_proxies"
        ]
    return []


async def _has_keys(settings: "Settings") -> bool | None:
    """Whether an API key exists. None if the document store does not answer."""
    from resolvers.api_keys import KEYS
    from schema.server.opening import open_documents
    from stores.contracts.errors import Unavailable

    try:
        counts = await run_and_close(
            open_documents(settings), lambda store: store.database(store.default).count([KEYS])
        )
    except Unavailable:
        return None
    return counts != [0]
