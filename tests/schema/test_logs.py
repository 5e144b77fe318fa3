"""The log: no field can forge a line, and none is longer than its limit."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from schema.server.logs import MAX_FIELD_LENGTH, configure_logging
from schema.server.settings import LogSettings

log = logging.getLogger("tests.logs")
FORGED = '\n2026-01-01 [error] forged\r\x1b[2J\u2028next\u202e\x00 "quoted" ü'


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_field_is_one_printable_line(
    capsys: pytest.CaptureFixture[str], log_format: Literal["json", "console"]
) -> None:
    configure_logging(LogSettings(format=log_format))
    log.warning("refused %s", FORGED)
    [line] = capsys.readouterr().err.splitlines()
    assert "\\n2026-01-01 [error] forged\\r" in line.replace("\\\\", "\\")
    if log_format == "json":
        escaped = 'refused \\n2026-01-01 [error] forged\\r\\x1b[2J\\u2028next\\u202e\\x00 "quoted" ü'
        assert json.loads(line)["event"] == escaped


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_long_field_is_clipped(
    capsys: pytest.CaptureFixture[str], log_format: Literal["json", "console"]
) -> None:
    configure_logging(LogSettings(format=log_format))
    log.warning("refused %s", "x" * 1_000_000)
    line = capsys.readouterr().err
    assert len(line) < MAX_FIELD_LENGTH + 300
    assert "(1000008 characters)" in line


def test_the_lines_of_a_traceback_are_indented_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSettings(format="console"))
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("request failed")
    first, *lines = capsys.readouterr().err.split("\n")
    assert "request failed" in first
    assert all(line.startswith("    ") for line in lines if line)
    assert "\x1b[2J" not in "".join(lines)
    assert any("ValueError" in line for line in lines)


def test_the_access_log_has_no_documents() -> None:
    configure_logging(LogSettings(level="debug", format="json"))
    logging.getLogger().handlers.clear()
    target = "/graphql?query={organization(organizationId:%22demo-only-secret%22){name}}"
    arguments = ("127.0.0.1:1", "GET", target, "1.1", 200)  # as uvicorn's protocol logs a request
    message = '%s - "%s %s HTTP/%s" %d'
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, message, arguments, None)
    assert logging.getLogger("uvicorn.access").filter(record)
    assert record.getMessage() == '127.0.0.1:1 - "GET /graphql HTTP/1.1" 200'
