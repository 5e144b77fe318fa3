"""The logging set-up of a serving process: one line for each event, as text or as JSON."""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from schema.server.settings import LogSettings
from stores.contracts.request_record import get_request_id

MAX_FIELD_LENGTH = 2_000
MAX_TRACEBACK_LENGTH = 20_000
AUDIT_FIELDS = (  # of the lines of the logger `audit`
    *("subject", "operation", "outcome", "code", "requestId", "database"),
    *("entityKind", "entityId", "applicationId", "changes"),
)
SLOW_FIELDS = ("seconds", "stores", "cost")  # of the lines of the logger `slow`: numbers, by names of ours
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def configure_logging(settings: LogSettings) -> None:
    """Send the log of every module to standard error, in the format and from the level of the settings."""
    is_text = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if is_text else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=(*AUDIT_FIELDS, *SLOW_FIELDS)),
                _add_request_id,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                escape_and_clip,
                renderer,
            ],
        )
    )
    level = settings.level.upper()
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # uvicorn's messages about its own start and stop interest its developers only.
    logging.getLogger("uvicorn.access").filters = [_hide_query]
    logging.getLogger("uvicorn.error").setLevel("WARNING" if level == "INFO" else level)


def _add_request_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Name the request that the line is about, as its answer and its audit entries do."""
    request_id = get_request_id()
    if request_id is not None:
        event.setdefault("requestId", request_id)
    return event


def _hide_query(record: logging.LogRecord) -> bool:
    """Leave the query string out of a line of the access log: it may have a document and its variables."""
    if isinstance(record.args, tuple) and len(record.args) == 5:
        client, method, path, version, status = record.args
        record.args = client, method, str(path).partition("?")[0], version, status
    return True


def escape_and_clip(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Make every field one printable line of limited length, so that no client can forge lines of the log.

    A traceback keeps its lines, each of them indented and escaped.
    """
    for name, value in event.items():
        if name == "exception":
            lines = _clip(str(value), MAX_TRACEBACK_LENGTH).split("\n")
            event[name] = "\n".join(f"    {_escape(line)}" for line in lines)
        elif name not in SLOW_FIELDS and not isinstance(value, bool | int | float | None):
            event[name] = _escape(_clip(str(value), MAX_FIELD_LENGTH))
    return event


def _clip(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else f"{text[:max_length]}... ({len(text)} characters)"


def _escape(text: str) -> str:
    """The text with unprintable characters as escapes: controls, line separators, marks of direction."""
    return _UNPRINTABLE.sub(_escape_character, text)


def _escape_character(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else character.encode("unicode_escape").decode()
