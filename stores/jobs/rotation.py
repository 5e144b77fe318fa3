"""Putting every stored secret under the newest key: those that were plain, and those under older keys."""

from collections.abc import Callable
from dataclasses import dataclass

from stores.contracts.documents import Change, Collection, Document, Documents, DocumentStore, Query, equal
from stores.entities.collections import SERVICES, named
from stores.entities.secrets import Sealer
from stores.jobs.copying import batches


@dataclass(slots=True)
class Report:
    """Documents that were changed, and those with secrets that no key opens."""

    changed: int = 0
    unopened: int = 0


async def reseal(store: DocumentStore, sealer: Sealer, progress: Callable[[int, int], None]) -> Report:
    """Seal the secrets of all services and connectors with the newest key, a document at a time.

    A document that somebody changes meanwhile is read again; one that was cut off is finished by repeating.
    """
    report = Report()
    places = [
        (store.database(info.name), named(name), key)
        for info in await store.databases()
        for name in await store.database(info.name).collections()
        if (key := _key_of(name, is_default=info.name == store.default))
    ]
    done, total = 0, sum([(await documents.count([collection]))[0] for documents, collection, _ in places])
    for documents, collection, key in places:
        async for batch in batches(documents, collection):
            for document in batch:
                await _reseal(documents, collection, document, key, sealer, report)
            progress(done := done + len(batch), total)
    return report


def _key_of(collection: str, *, is_default: bool) -> str | None:
    """The key under which documents of a collection hold secrets."""
    if collection == SERVICES.name and is_default:
        return "configuration"
    return "properties" if collection == "connectors" or collection.endswith("_connectors") else None


async def _reseal(
    documents: Documents, collection: Collection, document: Document, key: str, sealer: Sealer, report: Report
) -> None:
    kept: Document | None = document
    while kept is not None and key in kept:
        fresh = sealer.reseal(kept[key])
        if fresh == kept[key]:
            report.unopened += sealer.has_unopened(fresh)
            return
        same = [equal("_id", kept["_id"]), equal("updatedAt", kept.get("updatedAt"))]
        if await documents.update(collection, same, Change(set={(key,): fresh})) is not None:
            report.changed += 1
            report.unopened += sealer.has_unopened(fresh)
            return
        found = await documents.find(collection, Query(where=(equal("_id", kept["_id"]),), limit=1))
        kept = found[0] if found else None
