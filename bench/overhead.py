"""The CPU time that credentials, limits and cost add to a small query: `python -m bench.overhead`."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.types import Message

from bench.graph import fill
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.context import Context, Viewer
from resolvers.grants import Grant, Role
from resolvers.series_access import SeriesAccess
from schema.engine.execution import Executor
from schema.engine.structure_limits import StructureLimits
from schema.server.app import create_app
from schema.server.http_messages import IndexedRequest
from schema.server.limit_settings import LimitSettings
from schema.server.priority_loop import PriorityLoop
from schema.server.process_tuning import freeze_startup_objects
from schema.server.settings import Settings
from schema.types.roles import view_of
from schema.types.root import schema
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.opening import open_documents, open_icon_files, open_series

Q1 = "query($o: String!) { organization(organizationId: $o) { name applications { name deviceCount } } }"
PLANT = "plant"
ROUNDS, REQUESTS = 15, 100


async def measure_overhead(folder: Path) -> float:
    """Milliseconds of CPU that a request with a key takes beyond its execution alone, in the best round."""
    documents, series = open_documents(None, data=folder, deadline=60), open_series(None, data=folder)
    await fill(documents, PLANT, 30, 3)
    spec = KeySpec("bench", (PLANT,), Role.VIEWER)
    _, key = await create_api_key(documents.database(documents.default), spec, created_by="bench")
    large = LimitSettings(cost_per_minute=10**9, tenant_cost_per_minute=10**9)
    app = create_app(Settings(data=folder, limits=large), documents=documents, series=series)
    state = app.state.app_state
    headers = [(b"authorization", f"Bearer {key}".encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "scheme": "http",
        "headers": headers,
        "client": ("::1", 1),
    }
    bare = Executor(schema, StructureLimits())
    grant = Grant("bench", Role.VIEWER, frozenset({PLANT}))
    icons, cipher = Icons(open_icon_files(folder / "icons")), SecretCipher.store_plain_text()

    async def answer_limited() -> None:
        context = await state.create_context(IndexedRequest(dict(scope), _receive), "r")
        await _run(state.executor, context)

    async def answer_bare() -> None:
        IndexedRequest(dict(scope), _receive)
        await _run(bare, Context(Viewer(documents, SeriesAccess(series), grant), icons, cipher, "r"))

    limited_ms, bare_ms = [], []
    for _ in range(ROUNDS):  # interleaved, so that both meet the same disturbances
        limited_ms.append(await _measure_cpu(answer_limited))
        bare_ms.append(await _measure_cpu(answer_bare))
    await documents.close()
    await series.close()
    return min(limited_ms) - min(bare_ms)


async def _run(executor: Executor, context: Context) -> None:
    result = await executor.run(Q1, {"o": PLANT}, None, context, view=view_of(context.viewer.grant))
    await context.settle()
    assert not result.errors, result.errors


async def _receive() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("the client stays")


async def _measure_cpu(answer: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(REQUESTS):
        await answer()
    return (time.process_time() - began) / REQUESTS * 1e3


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        freeze_startup_objects()  # as a serving process does
        with asyncio.Runner(loop_factory=PriorityLoop) as runner:  # the loop of the server
            print(f"{runner.run(measure_overhead(Path(name))):.3f} ms")
