"""The old routes: creations under an `Idempotency-Key` header, and writes whose outcome is unknown."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import ServerSettings, Settings
from stores.contracts.errors import Unavailable
from stores.contracts.outcomes import mark_sent
from stores.opening import open_documents, open_series
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor
from tests.compat_rest.conftest import CNC, EVENT_CLASS, OLD_CNC, ORGANIZATION

CREATIONS = [
    (f"{CNC}/devices", {"machineId": "K"}, {"machineId": "L"}),
    (f"{ORGANIZATION}/users", {"name": "A", "email": "a@x.example"}, {"name": "B", "email": "b@x.example"}),
    (f"{OLD_CNC}/event-classes", EVENT_CLASS, {**EVENT_CLASS, "topic": "u"}),
    (f"{ORGANIZATION}/applications", {"applicationId": "k", "name": "K"}, {"applicationId": "l", "name": "L"}),
    ("/device/new", {"machineId": "K", "properties": {"a": 1}}, {"machineId": "L", "properties": {"a": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "other"), CREATIONS)
async def test_a_repeated_creation_is_answered_as_the_first_one(
    plant: httpx.AsyncClient, path: str, body: Any, other: Any
) -> None:
    headers = {"Idempotency-Key": f"key of {path}"}
    first, second = [await plant.post(path, json=body, headers=headers) for _ in range(2)]
    assert first.status_code == second.status_code == 201
    volatile = {"createdAt", "updatedAt"} if path.endswith("applications") else set()
    assert {k: v for k, v in first.json().items() if k not in volatile} == {
        k: v for k, v in second.json().items() if k not in volatile
    }
    reused = await plant.post(path, json=other, headers=headers)
    assert reused.status_code in (400, 409)
    assert "idempotency key" in reused.text


async def test_browsers_may_send_the_key(tmp_path: Path) -> None:
    store, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    settings = Settings(
        data=tmp_path, server=ServerSettings(cors_allowed_origins=("https://console.example",))
    )
    app = create_app(settings, documents=store, series=series)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        asked = {
            "Origin": "https://console.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "idempotency-key",
        }
        answer = await client.options(f"{CNC}/devices", headers=asked)
    assert "idempotency-key" in answer.headers["access-control-allow-headers"].lower()
    await store.close()
    await series.close()


class LostReply(Interceptor):
    """Every write is applied, but its reply is lost."""

    async def run(self, call: Any, proceed: Any) -> Any:
        result = await proceed()
        if call.is_write:
            mark_sent()
            raise Unavailable("the document store does not answer")
        return result


async def test_a_lost_reply_is_told_in_a_header(
    plant: httpx.AsyncClient, documents: Any, tmp_path: Path
) -> None:
    series = open_series(None, data=tmp_path / "other")
    store = WrappedDocumentStore(documents, LostReply())
    app = create_app(Settings(data=tmp_path), documents=store, series=series)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answer = await client.post(f"{CNC}/devices", json={"machineId": "lost"})
    assert answer.status_code == 503
    assert answer.headers["Write-Outcome"] == "UNKNOWN"
    await series.close()
