"""Reloading: an application with new settings takes the place of the one before, and keeps its stores."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from stores.contracts.tasks import end_tasks


class ReloadableApp:
    """The application of the latest settings, made by `make` from the one before it (None: the first).

    A request is answered by the application that it began with.
    """

    def __init__(self, make: Callable[[Starlette | None], Starlette]) -> None:
        self._make = make
        self.current = make(None)
        self._lifespan: AbstractAsyncContextManager[object] | None = None
        self._requests: Counter[Starlette] = Counter()  # that each application is answering
        self._answered = asyncio.Condition()
        self._ending: set[asyncio.Task[None]] = set()
        self._outer = Starlette(lifespan=lambda _: self._run())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._outer(scope, receive, send)
            return
        app = self.current
        self._requests[app] += 1
        try:
            await app(scope, receive, send)
        finally:
            self._requests[app] -= 1
            if app is not self.current:
                async with self._answered:
                    self._answered.notify_all()

    @contextlib.asynccontextmanager
    async def _run(self) -> AsyncIterator[None]:
        self._lifespan = await _enter(self.current)
        try:
            yield
        finally:
            await end_tasks(list(self._ending))
            await self._lifespan.__aexit__(None, None, None)

    async def reload(self) -> None:
        """Serve an application of the settings as they are now. If it cannot be made, nothing changes."""
        previous, lifespan = self.current, self._lifespan
        app = self._make(previous)
        self._lifespan = await _enter(app)
        self.current = app
        previous.state.resources_are_kept = True
        assert lifespan is not None  # signals are handled while the application runs
        task = asyncio.create_task(self._end(previous, lifespan))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, app: Starlette, lifespan: AbstractAsyncContextManager[object]) -> None:
        """End the background tasks of an application as soon as its last request is answered."""
        try:
            async with self._answered:
                await self._answered.wait_for(lambda: not self._requests[app])
        finally:
            del self._requests[app]
            await lifespan.__aexit__(None, None, None)


async def _enter(app: Starlette) -> AbstractAsyncContextManager[object]:
    lifespan = app.router.lifespan_context(app)
    await lifespan.__aenter__()
    return lifespan
