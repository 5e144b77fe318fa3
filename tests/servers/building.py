"""What the tests need from outside, built once into .cache/ at the top of the project.

`python -m tests.servers NAME...` builds what is missing. Every build holds a lock, so that several
test runs share one build, and writes its output to `.cache/NAME.log`.
"""

import fcntl
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import ServerUnavailable

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache"
CLIENT_SOURCES = HERE.parent / "clients"
WRITER_SOURCES = CLIENT_SOURCES / "writers"
CODEGEN_SOURCES = CLIENT_SOURCES / "codegen"
AUDITS = HERE.parent / "schema" / "audits"
ATTACKS = HERE.parent / "schema" / "attacks"


@dataclass(frozen=True)
class Build:
    """A folder of the cache: what makes it, from which files, and how long that takes on two cores."""

    name: str
    sources: tuple[Path, ...]
    command: Callable[[Path], list[str]]
    tools: tuple[str, ...]
    takes: str

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    @property
    def log(self) -> Path:
        return CACHE / f"{self.name}.log"

    def is_built(self) -> bool:
        """Whether the folder was built from the present sources."""
        stamp = self.folder / "built-from"
        return stamp.exists() and stamp.read_text() == self._fingerprint()

    def ensure(self) -> Path:
        """The folder, built first if it is missing. Raises ServerUnavailable if that fails."""
        with self._locked():
            if not self.is_built():
                self._build()
        return self.folder

    def progress(self) -> str | None:
        """How far a build that is running now has come, or None."""
        try:
            with self._locked(wait=False):
                return None
        except BlockingIOError:
            printed = self.log.read_text(errors="replace") if self.log.exists() else ""
            total = re.search(r"^packages: (\d+)$", printed, re.MULTILINE)
            return f"{printed.count(chr(10))} of {total[1]} packages" if total else "fetching"

    def _build(self) -> None:
        for tool in self.tools:
            if shutil.which(tool) is None:
                needed = ", ".join(self.tools)
                raise ServerUnavailable(f"{tool} is not installed: {self.name} is built with {needed}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        command = self.command(self.folder)
        with self.log.open("w") as log:
            code = subprocess.call(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )
        if code != 0:
            printed = self.log.read_text(errors="replace")
            raise ServerUnavailable(f"`{' '.join(command)}` failed:\n{printed[-2000:]}")
        (self.folder / "built-from").write_text(self._fingerprint())  # last: an aborted build is repeated

    def _fingerprint(self) -> str:
        return "".join(source.read_text() for source in self.sources)

    @contextmanager
    def _locked(self, *, wait: bool = True) -> Iterator[None]:
        """Let one process at a time build; the kernel frees the lock of a process that dies."""
        CACHE.mkdir(exist_ok=True)
        with (CACHE / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield


def _fetch_jars(folder: Path) -> list[str]:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}"]
    return ["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "mongodb" / "pom.xml"), *goal]


def _compile_mongodb(folder: Path) -> list[str]:
    # Java could run the source as well, and would compile it at every start, which takes half a second.
    jars = MONGODB_JARS.ensure() / "lib" / "*"
    return ["javac", "-cp", str(jars), "-d", str(folder), str(HERE / "mongodb" / "Main.java")]


def _compile_influxd(folder: Path) -> list[str]:
    return ["sh", str(HERE / "influxdb2" / "build.sh"), str(folder)]


def _install_audits(folder: Path) -> list[str]:
    return _install_npm(AUDITS, folder)


def _install_clients(folder: Path) -> list[str]:
    return _install_npm(CLIENT_SOURCES, folder)


def _install_writers(folder: Path) -> list[str]:
    return _install_npm(WRITER_SOURCES, folder)


def _install_codegen(folder: Path) -> list[str]:
    return _install_npm(CODEGEN_SOURCES, folder)


def _install_clairvoyance(folder: Path) -> list[str]:
    # Not into the environment of the tests: it asks for an older rich, and for a package named asyncio.
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    requirements = str(ATTACKS / "clairvoyance.txt")
    return [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), "-r", requirements]


def _install_npm(sources: Path, folder: Path) -> list[str]:
    for name in ("package.json", "package-lock.json", "run.mjs"):
        shutil.copy(sources / name, folder)
    return ["npm", "ci", "--silent", "--no-audit", "--no-fund"]


MONGODB_JARS = Build(
    "mongodb-server", (HERE / "mongodb" / "pom.xml",), _fetch_jars, ("mvn",), takes="half a minute"
)
MONGODB_MAIN = Build(
    "mongodb-main",
    (HERE / "mongodb" / "pom.xml", HERE / "mongodb" / "Main.java"),
    _compile_mongodb,
    ("javac",),
    takes="a second",
)
INFLUXD = Build(
    "influxd",
    (HERE / "influxdb2" / "go.mod", HERE / "influxdb2" / "go.sum"),
    _compile_influxd,
    ("go", "cargo", "cc", "pkg-config"),
    takes="six minutes",
)
GRAPHQL_AUDITS = Build(
    "graphql-http-audits",
    (AUDITS / "package.json", AUDITS / "package-lock.json", AUDITS / "run.mjs"),
    _install_audits,
    ("npm",),
    takes="a few seconds",
)
CLIENTS = Build(
    "graphql-clients",
    (CLIENT_SOURCES / "package.json", CLIENT_SOURCES / "package-lock.json", CLIENT_SOURCES / "run.mjs"),
    _install_clients,
    ("npm",),
    takes="a few seconds",
)
WRITERS = Build(
    "point-writers",
    (WRITER_SOURCES / "package.json", WRITER_SOURCES / "package-lock.json", WRITER_SOURCES / "run.mjs"),
    _install_writers,
    ("npm",),
    takes="a few seconds",
)
CODEGEN = Build(
    "graphql-codegen",
    (CODEGEN_SOURCES / "package.json", CODEGEN_SOURCES / "package-lock.json", CODEGEN_SOURCES / "run.mjs"),
    _install_codegen,
    ("npm",),
    takes="half a minute",
)
CLAIRVOYANCE = Build(
    "clairvoyance", (ATTACKS / "clairvoyance.txt",), _install_clairvoyance, (), takes="a few seconds"
)
BUILDS = {
    build.name: build
    for build in (MONGODB_JARS, GRAPHQL_AUDITS, CLIENTS, WRITERS, CODEGEN, CLAIRVOYANCE, INFLUXD)
}
