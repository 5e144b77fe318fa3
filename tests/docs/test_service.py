"""The unit of systemd is accepted by systemd and by the gateway's command line, and its sandbox is tight."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from compat_rest.main import app as command_line
from schema.server.settings import ServerSettings
from tests.docs.markdown import PROJECT

UNIT = PROJECT / "docs" / "deploy" / "sync-gateway.service"
PROGRAM = "/opt/sync-gateway/.venv/bin/sync-gateway"
MAX_EXPOSURE = 20  # of 100, as `systemd-analyze security` counts; a unit without a sandbox has 96
CLOSING_S = 5.0  # of the stores, after what ran was cancelled


def read_unit() -> dict[str, list[str]]:
    """The values of each directive, in their order."""
    directives: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE):
        directives.setdefault(name, []).append(value)
    return directives


def test_the_command_line_is_one_of_the_gateway() -> None:
    [command] = read_unit()["ExecStart"]
    program, name, *arguments = shlex.split(command)
    assert program == PROGRAM
    commands: Any = typer.main.get_command(command_line)
    parameters = commands.commands[name].make_context(name, arguments).params
    [folder] = read_unit()["StateDirectory"]
    [configuration] = read_unit()["ConfigurationDirectory"]
    assert str(parameters["data"]) == f"/var/lib/{folder}"  # the only folder that it may write
    assert str(parameters["config"]) == f"/etc/{configuration}/config.yaml"


def test_it_is_not_killed_while_it_drains() -> None:
    unit, defaults = read_unit(), ServerSettings()
    assert float(unit["TimeoutStopSec"][0]) > defaults.drain + defaults.grace + CLOSING_S
    # Of several processes, only the first gets the signal: a second signal would end a worker at once.
    assert (unit["KillSignal"], unit["KillMode"]) == (["SIGTERM"], ["mixed"])
    assert unit["ExecReload"] == ["kill -HUP $MAINPID"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "arguments",
    [("verify", "--man=no"), ("security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE}")],
    ids=lambda arguments: arguments[0],
)
def test_systemd_accepts_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    program = tmp_path / "sync-gateway"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(program)))
    done = subprocess.run(["systemd-analyze", *arguments, str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout[-3000:]
