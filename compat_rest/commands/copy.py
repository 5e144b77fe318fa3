"""`sync-gateway copy`: from one document store to another."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compat_rest.commands.terminal import err, out, print_error, print_errors_as_one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stores.contracts.document_store import DocumentStore
    from stores.jobs.copying import CopyReport

MAX_DIFFERENCES_SHOWN = 20
DEADLINE_S = 60.0
CONNECT_S = 5.0


def copy(
    source_url: Annotated[str, typer.Argument(help="sqlite:///FILE, mongodb:// or mongodb+srv://")],
    target_url: Annotated[str, typer.Argument(help="The URL of the store that is written to.")],
) -> None:
    """Copy every organization from one document store to another, then compare them document by document."""
    from stores.contracts.errors import BadUserInput

    with print_errors_as_one_line():
        if _normalize(source_url) == _normalize(target_url):
            raise BadUserInput("The source and the target are the same store.")
        if source_url.startswith("sqlite:///") and not Path(source_url.removeprefix("sqlite:///")).exists():
            raise BadUserInput("The source does not exist.")
        report = asyncio.run(_copy(source_url, target_url))
    out.print(f"{report.written} documents written, {report.equal} already equal, {report.verified} compared")
    for difference in report.differences[:MAX_DIFFERENCES_SHOWN]:
        print_error(difference)
    if report.differences:
        print_error(f"The stores differ in {len(report.differences)} places.")
        raise typer.Exit(1)


def _normalize(url: str) -> str:
    """The URL, with the one path of a file that has several."""
    prefix = "sqlite:///"
    return f"{prefix}{Path(url.removeprefix(prefix)).resolve()}" if url.startswith(prefix) else url


async def _copy(source_url: str, target_url: str) -> "CopyReport":
    async with contextlib.AsyncExitStack() as stack:
        source = await stack.enter_async_context(_open_answering("source", source_url))
        await _require_documents(source)
        # Opened last: a target file is made only for a source that can be copied.
        target = await stack.enter_async_context(_open_answering("target", target_url))
        return await _copy_with_progress(source, target)


async def _require_documents(source: "DocumentStore") -> None:
    from stores.contracts.errors import BadUserInput
    from stores.jobs.copying import count_documents

    if not await count_documents(source):
        raise BadUserInput("The source holds no documents.")


async def _copy_with_progress(source: "DocumentStore", target: "DocumentStore") -> "CopyReport":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from stores.jobs.copying import copy_stores

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("copying", total=None)

        def report(description: str, done: int, total: int) -> None:
            progress.update(task, description=description, completed=done, total=total)

        return await copy_stores(source, target, report)


@contextlib.asynccontextmanager
async def _open_answering(side: str, url: str) -> "AsyncIterator[DocumentStore]":
    """The store of a URL, which answers."""
    store = _open(side, url)
    try:
        await _connect(side, url, store)
        yield store
    finally:
        await store.close()


def _open(side: str, url: str) -> "DocumentStore":
    """The store of a URL, whose errors say on which side and which server it is."""
    from stores.opening import open_documents
    from stores.wrappers.documents import WrappedDocumentStore
    from stores.wrappers.naming import NamedErrors

    return WrappedDocumentStore(
        open_documents(url, data=None, deadline=DEADLINE_S), NamedErrors(_name(side, url))
    )


async def _connect(side: str, url: str, store: "DocumentStore") -> None:
    """Fail soon if a server does not answer, although the calls of the copy itself may take longer."""
    from stores.contracts.errors import Unavailable

    try:
        async with asyncio.timeout(CONNECT_S):
            await store.ping()
    except TimeoutError:
        raise Unavailable(f"{_name(side, url)}: no answer within {CONNECT_S:g} seconds.") from None


def _name(side: str, url: str) -> str:
    from schema.server.store_names import name_url

    return f"the {side}, {name_url(url)}"
