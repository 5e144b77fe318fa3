"""What the servers are built from, built once into .cache/ at the top of the project."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import ServerUnavailable

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache"


def mongodb_jars() -> Path:
    """The folder with the jars of the MongoDB server, fetched by Maven if it is not there yet."""
    sources = HERE / "mongodb"

    def build(into: Path) -> None:
        _require("mvn", "Maven, which fetches the MongoDB server of the tests")
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={into / 'lib'}"]
        _run(["mvn", "--batch-mode", "--quiet", "--file", str(sources / "pom.xml"), *goal])

    return _built("mongodb-server", [sources / "pom.xml"], build) / "lib"


def influxd() -> Path:
    """The influxd program, compiled if it is not there yet, which takes minutes."""
    sources = HERE / "influxdb2"

    def build(into: Path) -> None:
        for tool in ("go", "cargo", "cc", "pkg-config"):
            _require(tool, "InfluxDB 2 is compiled for the tests with go, cargo, cc and pkg-config")
        _run(["sh", str(sources / "build.sh"), str(into)])

    return _built("influxd", [sources / "go.mod", sources / "go.sum"], build) / "influxd"


def _built(name: str, sources: list[Path], build: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, built anew if it is not of these sources."""
    folder = CACHE / name
    stamp = folder / "built-from"
    wanted = "".join(source.read_text() for source in sources)
    with _alone(name):
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            stamp.write_text(wanted)  # last, so that a build that was broken off is done again
    return folder


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Let one test run at a time build; the kernel frees the lock of a run that dies."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require(tool: str, what_for: str) -> None:
    if shutil.which(tool) is None:
        raise ServerUnavailable(f"{tool} is not installed: {what_for}")


def _run(command: list[str]) -> None:
    print(f"building a server for the tests: {' '.join(command)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ServerUnavailable(f"`{' '.join(command)}` failed:\n{done.stdout[-2000:]}")
