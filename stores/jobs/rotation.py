"""Putting every stored secret under the newest key: those that were plain, and those under older keys."""

from collections.abc import Callable
from dataclasses import dataclass

from stores.contracts.documents import (
    Change,
    Collection,
    Document,
    DocumentDatabase,
    DocumentStore,
    Query,
    equals,
)
from stores.entities.cipher import SecretCipher
from stores.entities.collections import SERVICES, named
from stores.jobs.copying import read_batches


@dataclass(slots=True)
class RotationReport:
    """Documents that were changed, and those with secrets that no key opens."""

    changed: int = 0
    undecryptable: int = 0


async def rotate_stored_secrets(
    store: DocumentStore, cipher: SecretCipher, progress: Callable[[int, int], None]
) -> RotationReport:
    """Seal the secrets of all services and connectors with the newest key, a document at a time.

    A document that somebody changes meanwhile is read again; one that was cut off is finished by repeating.
    """
    report = RotationReport()
    places = [
        (store.database(info.name), named(name), key)
        for info in await store.list_databases()
        for name in await store.database(info.name).list_collections()
        if (key := _key_of(name, is_default=info.name == store.default))
    ]
    done, total = 0, sum([(await documents.count([collection]))[0] for documents, collection, _ in places])
    for documents, collection, key in places:
        async for batch in read_batches(documents, collection):
            for document in batch:
                await _rotate_document(documents, collection, document, key, cipher, report)
            progress(done := done + len(batch), total)
    return report


def _key_of(collection: str, *, is_default: bool) -> str | None:
    """The key under which documents of a collection hold secrets."""
    if collection == SERVICES.name and is_default:
        return "configuration"
    return "properties" if collection == "connectors" or collection.endswith("_connectors") else None


async def _rotate_document(
    documents: DocumentDatabase,
    collection: Collection,
    document: Document,
    key: str,
    cipher: SecretCipher,
    report: RotationReport,
) -> None:
    kept: Document | None = document
    while kept is not None and key in kept:
        fresh = cipher.rotate(kept[key])
        if fresh == kept[key]:
            report.undecryptable += cipher.has_undecryptable(fresh)
            return
        same = [equals("_id", kept["_id"]), equals("updatedAt", kept.get("updatedAt"))]
        if await documents.update(collection, same, Change(set={(key,): fresh})) is not None:
            report.changed += 1
            report.undecryptable += cipher.has_undecryptable(fresh)
            return
        found = await documents.find(collection, Query(where=(equals("_id", kept["_id"]),), limit=1))
        kept = found[0] if found else None
