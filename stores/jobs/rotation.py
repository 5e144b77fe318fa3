"""Encrypting every stored secret with the newest key: those in plain text, and those under older keys."""

from collections.abc import Callable
from dataclasses import dataclass

from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import Change, Collection, Document, Query, equals
from stores.entities.cipher import SecretCipher
from stores.entities.registry import find_collection_of_name, find_entity_of_collection
from stores.jobs.copying import read_batches


@dataclass(slots=True)
class RotationReport:
    """How many documents were changed, and how many contain secrets that no key decrypts."""

    changed: int = 0
    undecryptable: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """A collection whose documents may contain secrets."""

    documents: DocumentDatabase
    collection: Collection


async def rotate_stored_secrets(
    store: DocumentStore, cipher: SecretCipher, progress: Callable[[int, int], None]
) -> RotationReport:
    """Encrypt the declared secrets of all entities with the newest key, a document at a time.

    A document that another client changes meanwhile is read again. An interrupted run is finished by
    repeating it. `progress` gets the number of documents that are done and of all.
    """
    report = RotationReport()
    parts = await _find_parts_with_secrets(store)
    done, total = 0, sum([(await part.documents.count([part.collection]))[0] for part in parts])
    for part in parts:
        async for batch in read_batches(part.documents, part.collection):
            for document in batch:
                await _rotate_document(part, document, cipher, report)
            progress(done := done + len(batch), total)
    return report


async def _find_parts_with_secrets(store: DocumentStore) -> list[_Part]:
    parts = []
    for info in await store.list_databases():
        documents, is_default = store.database(info.name), info.name == store.default
        for name in await documents.list_collections():
            entity = find_entity_of_collection(name, is_default=is_default)
            if entity is not None and entity.secrets:
                collection = find_collection_of_name(name, is_default=is_default)
                parts.append(_Part(documents, collection))
    return parts


async def _rotate_document(
    part: _Part, document: Document, cipher: SecretCipher, report: RotationReport
) -> None:
    while True:
        rotated = cipher.rotate(document)
        changed = [key for key, value in rotated.items() if value != document[key]]
        if changed:
            # The values themselves are compared: a client may change them in the millisecond of `updatedAt`.
            unchanged = [equals(key, document[key]) for key in ("_id", *changed)]
            change = Change(set={(key,): rotated[key] for key in changed})
            if await part.documents.update(part.collection, unchanged, change) is None:
                same_id = Query(where=(equals("_id", document["_id"]),), limit=1)
                documents = await part.documents.find(part.collection, same_id)
                if not documents:
                    return
                [document] = documents
                continue
            report.changed += 1
        report.undecryptable += cipher.has_undecryptable(rotated)
        return
