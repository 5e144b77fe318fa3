"""The container file: its steps run in a fresh folder, and what they make serves from a read-only root."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.docs.containers import Image
from tests.docs.markdown import PROJECT
from tests.servers.process import free_port

CONTAINERFILE = PROJECT / "docs" / "deploy" / "Containerfile"
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.long,  # it installs all packages anew
    pytest.mark.skipif(sys.platform != "linux", reason="the image is one of Linux"),
]


def has_package_index(folder: Path) -> bool:
    """Whether pip can fetch a small package, as the environment configures it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    done = subprocess.run(
        [*command, "--dest", str(folder), "aiodataloader"], capture_output=True, check=False
    )
    return done.returncode == 0


def list_unprivileged() -> list[str]:
    """What comes before a command so that it may not write what is not writable, whoever runs the tests."""
    return ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []


def make_read_only(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


@contextmanager
def running(image: Image, port: int) -> Iterator[subprocess.Popen[str]]:
    """The container of an image, of which only the volume is writable. It listens on loopback."""
    environment = image.settings | {"SYNC_GATEWAY_SERVER__PORT": str(port)}
    assert environment.pop("SYNC_GATEWAY_SERVER__HOST") == "0.0.0.0"
    container = subprocess.Popen(
        [*list_unprivileged(), *image.programs["ENTRYPOINT"], *image.programs["CMD"]],
        cwd=image.translate(image.options["VOLUME"]),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield container
    finally:
        container.kill()
        container.communicate()


def is_healthy(image: Image, port: int) -> bool:
    command = [word.replace("3000", str(port)) for word in image.programs["HEALTHCHECK"]]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_image_serves_from_a_read_only_root(tmp_path: Path) -> None:
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed, and root may write everything")
    if not has_package_index(tmp_path / "index"):
        pytest.skip("pip reaches no package index")
    try:
        image = Image(CONTAINERFILE, PROJECT, tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error.cmd[-1]}: {error.stdout[-1000:]}{error.stderr[-3000:]}")
    assert image.options["USER"] == "10001:10001"
    assert image.options["STOPSIGNAL"] == "SIGTERM"
    assert f"{image.options['EXPOSE']}" == image.settings["SYNC_GATEWAY_SERVER__PORT"] == "3000"
    data = Path(image.translate(image.options["VOLUME"]))
    assert data.stat().st_mode & 0o777 == 0o700
    make_read_only(image.root / "opt")
    command = [*image.programs["ENTRYPOINT"], "keys", "create", "me", "--role", "operator"]
    key = subprocess.check_output(
        [*list_unprivileged(), *command], cwd=data, env=image.settings, text=True
    ).strip()
    port = free_port()
    with running(image, port) as container:
        until = time.monotonic() + PATIENCE_S
        while not is_healthy(image, port):
            assert container.poll() is None, container.communicate()
            assert time.monotonic() < until
            time.sleep(0.1)
        answer = httpx.post(
            f"http://127.0.0.1:{port}/graphql",
            json={"query": "{ viewer { role } }"},
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
        )
        assert answer.json() == {"data": {"viewer": {"role": "operator"}}}
        container.send_signal(signal.Signals[image.options["STOPSIGNAL"]])
        assert container.wait(PATIENCE_S) == 0
    assert not is_healthy(image, port)
    assert {path.name for path in data.iterdir()} >= {"documents.db", "series.db", "sync-gateway.json"}
