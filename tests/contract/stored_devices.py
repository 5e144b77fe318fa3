"""The collections and devices of the tests of the document stores."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import (
    Collection,
    Document,
    Order,
    Query,
)
from stores.contracts.ordering import get_order_value
from stores.entities.devices import Device
from stores.entities.event_classes import EventClass
from stores.entities.gateways import Gateway
from stores.entities.organizations import Organization

CONFIG = Organization.collection_of()
GATEWAYS = Gateway.collection_of()
EVENT_CLASSES = EventClass.collection_of()

DEVICES = Device.collection_of("cnc")
TIMES = (datetime(2026, 1, 2, 3, 4, 5, 678000), datetime(1969, 12, 31))


def device(machine_id: str, **fields: Any) -> Document:
    return {"_id": ObjectId(), "machineId": machine_id, **fields}


async def walk(
    documents: DocumentDatabase, collection: Collection, order: Order, limit: int = 2
) -> list[Document]:
    """A whole collection, read page by page."""
    documents_read: list[Document] = []
    after = None
    while page := await documents.find(collection, Query(order=order, after=after, limit=limit)):
        documents_read += page
        after = (get_order_value(page[-1], order.path), page[-1]["_id"])
        assert len(documents_read) < 5000
    return documents_read
