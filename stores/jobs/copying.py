"""Copying every database from one document store to another, and verifying that both contain the same."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import bson

from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import Collection, Document, OneOf, Query
from stores.entities.registry import collection_of_name

BATCH = 500
Progress = Callable[[str, int, int], None]  # what is done, the number of documents that are done, and of all


@dataclass(slots=True)
class CopyReport:
    """How many documents were written, were equal already and were compared, and what still differs."""

    written: int = 0
    equal: int = 0
    verified: int = 0
    differences: list[str] = field(default_factory=list)


async def copy_stores(source: DocumentStore, target: DocumentStore, progress: Progress) -> CopyReport:
    """Copy the documents that the target lacks, then compare. The source is only read.

    A document that is equal already is not written again, so that an interrupted copy is finished by
    repeating it. The default database of the source becomes that of the target.
    """
    report = CopyReport()
    parts = [
        (
            source.database(info.name),
            target.database(_target_name(info.name, source, target)),
            collection_of_name(name, is_default=info.name == source.default),
        )
        for info in await source.list_databases()
        for name in await source.database(info.name).list_collections()
    ]
    done, total = 0, sum([(await old.count([collection]))[0] for old, _, collection in parts])
    for old, new, collection in parts:
        await new.create_collections([collection])
        async for batch in read_batches(old, collection):
            kept = await _read_by_ids(new, collection, batch)
            missing = [d for d in batch if kept.get(_encode_id(d)) != bson.encode(d)]
            await new.upsert(collection, missing)
            report.written += len(missing)
            report.equal += len(batch) - len(missing)
            progress(f"copying {old.database}", done := done + len(batch), total)
    done = 0
    for old, new, collection in parts:
        async for batch in read_batches(old, collection):
            kept = await _read_by_ids(new, collection, batch)
            place = f"{new.database}.{collection.name}"
            for document in batch:
                if kept.get(_encode_id(document)) != bson.encode(document):
                    report.differences.append(f"{place}: {document['_id']} differs")
            report.verified += len(batch)
            progress(f"verifying {old.database}", done := done + len(batch), total)
        [there], [here] = await new.count([collection]), await old.count([collection])
        if there != here:
            report.differences.append(f"{new.database}.{collection.name}: {there} documents, not {here}")
    return report


def _target_name(name: str, source: DocumentStore, target: DocumentStore) -> str:
    return target.default if name == source.default else name


async def read_batches(documents: DocumentDatabase, collection: Collection) -> AsyncIterator[list[Document]]:
    """Every document of a collection, by id, up to `BATCH` at a time."""
    after = None
    while batch := await documents.find(collection, Query(after=after, limit=BATCH)):
        yield batch
        after = (None, batch[-1]["_id"])


async def _read_by_ids(
    documents: DocumentDatabase, collection: Collection, batch: list[Document]
) -> dict[bytes, bytes]:
    """The documents with the ids of a batch, encoded, because types and key order count."""
    ids = OneOf(("_id",), tuple(document["_id"] for document in batch))
    found = await documents.find(collection, Query(where=(ids,)))
    return {_encode_id(document): bson.encode(document) for document in found}


def _encode_id(document: Document) -> bytes:
    return bson.encode({"_id": document["_id"]})
