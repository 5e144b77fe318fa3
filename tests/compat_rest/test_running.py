"""How `serve` runs: it drains at SIGTERM, and takes over changed settings at SIGHUP."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from uvicorn.lifespan.on import LifespanOn

from compat_rest.commands.serving import Serving
from schema.server.settings import Settings
from tests.compat_rest.processes import PATIENCE_S, gateway, half_a_request

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]


def test_it_ends_when_a_probe_was_told_and_what_runs_has_finished(tmp_path: Path) -> None:
    with gateway(tmp_path, SYNC_GATEWAY_SERVER__DRAIN="60") as serving:
        assert serving.get_ready() == (200, "ok")
        with half_a_request(serving.port) as finish:
            time.sleep(0.2)  # until the server has read it
            serving.send(signal.SIGTERM)
            time.sleep(0.3)
            assert serving.is_up()  # it goes on until a probe knows
            assert serving.get_ready() == (503, "draining")
            serving.wait_for(lambda: not serving.is_up())
            answer = finish()
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in answer.lower()
        assert serving.process.wait(PATIENCE_S) == 0


def test_what_does_not_finish_is_cancelled(tmp_path: Path) -> None:
    with gateway(tmp_path, SYNC_GATEWAY_SERVER__GRACE="0.5") as serving, half_a_request(serving.port):
        time.sleep(0.2)
        serving.send(signal.SIGTERM)
        assert serving.process.wait(PATIENCE_S) == 0


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with gateway(tmp_path, SYNC_GATEWAY_SERVER__DRAIN="600") as serving:
        assert serving.get_ready() == (200, "ok")
        libraries = {library.path for library in psutil.Process(serving.process.pid).memory_maps()}
        assert not any("aiohttp" in path for path in libraries)  # starts sooner without what nobody needs
        serving.send(signal.SIGINT)
        time.sleep(0.3)
        serving.send(signal.SIGINT)
        assert serving.process.wait(PATIENCE_S) == 0


def test_changed_settings_are_taken_over(tmp_path: Path) -> None:
    config, nested = tmp_path / "config.yaml", "{ organizations { nodes { applications { name } } } }"
    config.write_text("limits: {depth: 20}\n")
    with gateway(tmp_path, "--config", str(config)) as serving:
        assert "errors" not in serving.ask(nested)
        changed = "limits: {depth: 4, store: 'redis://127.0.0.1:1'}\ntracing: {sample: 0.5}\n"
        config.write_text(f"{changed}log: {{level: debug}}\nserver: {{drain: 1}}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log("the settings are reloaded")
        for name in ("server.drain", "limits.store", "tracing"):
            serving.wait_for_log(f"{name} has changed: it takes effect when the gateway is restarted")
        deep = "{ organizations { nodes { applications { devices { nodes { name } } } } } }"
        [error] = serving.ask(deep)["errors"]
        assert error["extensions"]["limit"] == "depth"
        config.write_text("limits:\n  depth: 4\n  dept: 5\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log(f"{config}:3: limits.dept: there is no such setting")
        assert "the old ones stay" in serving.log.read_text()
        assert serving.ask(deep)["errors"]
        config.write_text("graphql: {documents: none.json}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log("none.json: No such file")
        assert serving.ask(deep)["errors"]
        config.write_text("limits: {depth: 20}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for(lambda: "errors" not in serving.ask(deep))
        serving.send(signal.SIGTERM)
        assert serving.process.wait(PATIENCE_S) == 0


def test_a_request_finishes_with_the_settings_that_it_began_with(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("limits: {depth: 20}\n")
    with gateway(tmp_path, "--config", str(config)) as serving, half_a_request(serving.port) as finish:
        time.sleep(0.2)
        config.write_text("limits: {depth: 10}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log("the settings are reloaded")
        serving.send(signal.SIGTERM)
        assert finish().startswith(b"HTTP/1.1 200 OK")
        assert serving.process.wait(PATIENCE_S) == 0


async def test_settings_are_taken_over_one_time_after_another(tmp_path: Path) -> None:
    """Two at once would both end the same application, and one of the new ones never."""
    settings = Settings(data=tmp_path)
    serving = Serving(settings, lambda: settings, None, None)
    config = serving.make_server().config
    config.load()
    lifespan = LifespanOn(config)
    await lifespan.startup()

    async def count_tasks(reloads: int) -> int:
        await asyncio.gather(*(serving.reload() for _ in range(reloads)))
        await asyncio.sleep(0.5)  # for the tasks of applications that have ended
        return len(asyncio.all_tasks())

    assert await count_tasks(5) == await count_tasks(1)
    await lifespan.shutdown()
