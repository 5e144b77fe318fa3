"""Background tasks: restarted if they fail, and ended when the application stops."""

import asyncio
from pathlib import Path

import pytest

from schema.server import background
from schema.server.app import create_app
from schema.server.settings import Settings
from tests.serving import served


async def test_a_task_that_fails_is_logged_and_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0)
    runs: list[str] = []
    recovered = asyncio.Event()

    async def fail_once() -> None:
        runs.append("run")
        if len(runs) == 1:
            raise RuntimeError("unforeseen")
        recovered.set()

    async with background.run_in_background({"retention": fail_once}):
        await asyncio.wait_for(recovered.wait(), 30)
    assert len(runs) == 2
    assert "'retention' failed" in caplog.text
    assert "RuntimeError: unforeseen" in caplog.text


async def test_a_task_has_ended_when_the_context_is_left() -> None:
    events: list[str] = []
    started = asyncio.Event()

    async def clean_up_slowly() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            events.append("cleaned up")

    async with background.run_in_background({"slow": clean_up_slowly}):
        await started.wait()
    assert events == ["cleaned up"]


async def test_the_tasks_of_an_application_run_while_it_is_served(tmp_path: Path) -> None:
    running = asyncio.Event()

    async def run() -> None:
        running.set()
        await asyncio.Event().wait()

    async with served(create_app(Settings(data=tmp_path), tasks={"demo machines": run})):
        await asyncio.wait_for(running.wait(), 30)
