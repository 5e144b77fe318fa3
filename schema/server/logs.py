"""The logging set-up of a serving process: one line for each event, as text or as JSON."""

import logging
import sys

import structlog

from schema.server.settings import LogSettings


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
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    level = settings.level.upper()
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # uvicorn's messages about its own start and stop interest its developers only.
    logging.getLogger("uvicorn.error").setLevel("WARNING" if level == "INFO" else level)
