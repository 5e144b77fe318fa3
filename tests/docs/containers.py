"""Carries out the steps of a Containerfile in a folder that stands for the root of the image."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CONTINUED = re.compile(r"\\\n\s*")
ABSOLUTE = re.compile(r"(?<![\w./-])/(?=(?:opt|var)/)")
USER = "10001"
STEP_TIMEOUT_S = 300


class Image:
    """What the steps of `containerfile` make below `folder`, from the files of `context`.

    Absolute paths below /opt and /var are below the root of the image. Its user is the one of this process,
    and its Python is that of the tests. Raises `subprocess.CalledProcessError` if a step fails.
    """

    def __init__(self, containerfile: Path, context: Path, folder: Path) -> None:
        self._context, self._folder, self.root = context, folder, folder / "root"
        self._work = Path("/")
        self._stages: list[str] = []
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # Compiling modules takes pip as long as everything else, and most of them are not used here.
        self._environment = os.environ | {"PATH": path, "PIP_NO_COMPILE": "1"}
        self.settings: dict[str, str] = {}  # of the last stage
        self.programs: dict[str, list[str]] = {}  # ENTRYPOINT, CMD and HEALTHCHECK
        self.options: dict[str, str] = {}  # USER, VOLUME, STOPSIGNAL and EXPOSE
        for line in CONTINUED.sub(" ", containerfile.read_text()).splitlines():
            step, _, text = line.partition(" ")
            if line and not line.startswith("#"):
                self._carry_out(step, text.strip())

    def translate(self, text: str) -> str:
        """The text with the paths and the user that stand for those of the image."""
        user = str(os.getuid())
        return ABSOLUTE.sub(f"{self.root}/", text).replace(USER, user)

    def _carry_out(self, step: str, text: str) -> None:
        match step:
            case "FROM":
                self._begin_stage(text)
            case "WORKDIR":
                self._work = Path(text)
                self._find(".").mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(shlex.split(text))
            case "RUN":
                command = ["/bin/sh", "-euc", self.translate(text)]
                subprocess.run(
                    command,
                    cwd=self._find("."),
                    env=self._environment,
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=STEP_TIMEOUT_S,
                )
            case "ENV":
                self.settings |= dict(word.split("=", 1) for word in shlex.split(self.translate(text)))
            case "ENTRYPOINT" | "CMD" | "HEALTHCHECK":
                self.programs[step] = json.loads(self.translate(text[text.index("[") :]))
            case "USER" | "VOLUME" | "STOPSIGNAL" | "EXPOSE":
                self.options[step] = text
            case _:
                raise ValueError(f"{step} is not known here")

    def _begin_stage(self, text: str) -> None:
        """The folder of the stage before is put aside, so that this one has the same paths."""
        if self.root.exists():
            self.root.rename(self._folder / self._stages[-1])
        self._stages.append(text.partition(" AS ")[2] or "last")
        self.root.mkdir()
        self._work, self.settings, self.programs, self.options = Path("/"), {}, {}, {}

    def _copy(self, words: list[str]) -> None:
        source = self._context
        if words[0].startswith("--from="):
            source = self._folder / words.pop(0).removeprefix("--from=")
        *names, target = words
        for name in names:
            origin, destination = source / name.lstrip("/"), self._find(target)
            if origin.is_dir():
                ignored = shutil.ignore_patterns("__pycache__") if source == self._context else None
                shutil.copytree(origin, destination, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                destination = destination / origin.name if target.endswith("/") else destination
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(origin, destination)

    def _find(self, path: str) -> Path:
        return self.root / str(self._work / path).lstrip("/")
