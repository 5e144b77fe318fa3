"""Copying every database from one document store to another, and verifying that both contain the same.

Documents are copied byte for byte: also strings that are not valid UTF-8, and types that a driver changes.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.errors import BSONError

from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import CODEC, ID, Collection, Document, OneOf, Query
from stores.contracts.errors import BadUserInput, Conflict
from stores.contracts.values import format_id
from stores.entities.registry import find_collection_of_name

BATCH = 500
Progress = Callable[[str, int, int], None]  # what is done, the number of documents that are done, and of all


@dataclass(slots=True)
class CopyReport:
    """How many documents were written, were equal already and were compared, and what still differs."""

    written: int = 0
    equal: int = 0
    verified: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """One collection in both stores."""

    source: DocumentDatabase
    target: DocumentDatabase
    collection: Collection

    def name(self, document_id: Any) -> str:
        return f"{self.target.database}.{self.collection.name}: {format_id(document_id)}"


async def count_documents(source: DocumentStore) -> int:
    """The number of documents of every database."""
    return sum(
        [
            count
            for info in await source.list_databases()
            for name in await source.database(info.name).list_collections()
            for count in await source.database(info.name).count([Collection(name)])
        ]
    )


async def copy_stores(source: DocumentStore, target: DocumentStore, progress: Progress) -> CopyReport:
    """Copy the documents that the target lacks, then compare. The source is only read.

    A document that is equal already is not written again, so that an interrupted copy is finished by
    repeating it. One that cannot be copied is a difference, and the others are copied. The default database
    of the source becomes that of the target.
    """
    report = CopyReport()
    parts = [
        Part(
            source.database(info.name),
            target.database(_make_target_name(info.name, source, target)),
            find_collection_of_name(name, is_default=info.name == source.default),
        )
        for info in await source.list_databases()
        for name in await source.database(info.name).list_collections()
    ]
    total = sum([(await part.source.count([part.collection]))[0] for part in parts])
    done = 0
    for part in parts:
        await part.target.create_collections([part.collection])
        async for batch in _read_raw_batches(part, report):
            await _copy_batch(part, batch, report)
            progress(f"copying {part.source.database}", done := done + len(batch), total)
    done = 0
    for part in parts:
        async for batch in _read_raw_batches(part):
            await _verify_batch(part, batch, report)
            progress(f"verifying {part.source.database}", done := done + len(batch), total)
        await _verify_count(part, report)
    return report


async def _copy_batch(part: Part, batch: Sequence[bytes], report: CopyReport) -> None:
    copies = await _read_copies(part, batch)
    missing = [document for document in batch if document not in copies]
    report.equal += len(batch) - len(missing)
    try:
        await part.target.write_raw(part.collection, missing)
        report.written += len(missing)
    except (BadUserInput, Conflict):
        for document in missing:
            await _copy_one(part, document, report)


async def _copy_one(part: Part, document: bytes, report: CopyReport) -> None:
    try:
        await part.target.write_raw(part.collection, [document])
        report.written += 1
    except (BadUserInput, Conflict) as error:
        report.differences.append(f"{part.name(_read_id(document))} cannot be copied: {error.message}")


async def _verify_batch(part: Part, batch: Sequence[bytes], report: CopyReport) -> None:
    copies = await _read_copies(part, batch)
    report.differences += [
        f"{part.name(_read_id(document))} differs" for document in batch if document not in copies
    ]
    report.verified += len(batch)


async def _verify_count(part: Part, report: CopyReport) -> None:
    [copied] = await part.target.count([part.collection])
    [stored] = await part.source.count([part.collection])
    if copied != stored:
        report.differences.append(
            f"{part.target.database}.{part.collection.name}: {copied} documents, not {stored}"
        )


def _make_target_name(name: str, source: DocumentStore, target: DocumentStore) -> str:
    return target.default if name == source.default else name


async def _read_raw_batches(part: Part, report: CopyReport | None = None) -> AsyncIterator[list[bytes]]:
    """The documents of a collection, up to `BATCH` at a time; those that are damaged are reported."""
    after = None
    while batch := await part.source.read_raw(part.collection, Query(after=after, limit=BATCH)):
        readable = [document for document in batch if not _is_damaged(document)]
        if report is not None and len(readable) < len(batch):
            namespace = f"{part.source.database}.{part.collection.name}"
            damaged = len(batch) - len(readable)
            report.differences.append(f"{namespace}: {damaged} documents are damaged and cannot be copied")
        if not readable:
            return  # nothing says where to go on
        yield readable
        after = (None, _read_id(readable[-1]))


def _is_damaged(document: bytes) -> bool:
    try:
        return "_id" not in bson.decode(document, CODEC)
    except (BSONError, ValueError, TypeError):
        return True


async def _read_copies(part: Part, batch: Sequence[bytes]) -> set[bytes]:
    """The documents of the target that have the ids of a batch."""
    ids = OneOf(ID, tuple(map(_read_id, batch)))
    return set(await part.target.read_raw(part.collection, Query(where=(ids,))))


def _read_id(document: bytes) -> Any:
    return bson.decode(document, CODEC)["_id"]


async def read_batches(documents: DocumentDatabase, collection: Collection) -> AsyncIterator[list[Document]]:
    """Every document of a collection, by id, up to `BATCH` at a time."""
    after = None
    while batch := await documents.find(collection, Query(after=after, limit=BATCH)):
        yield batch
        after = (None, batch[-1]["_id"])
