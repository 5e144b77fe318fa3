"""Stores that are closed however a test ends, so that a failed test leaves nothing that disturbs the next."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from stores.contracts.document_store import DocumentStore
from stores.contracts.series import SeriesStore

Store = TypeVar("Store", bound=DocumentStore | SeriesStore)


@asynccontextmanager
async def closing(store: Store) -> AsyncIterator[Store]:
    """The store, which is closed at the end of the block."""
    try:
        yield store
    finally:
        await store.close()
