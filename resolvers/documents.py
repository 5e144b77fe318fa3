"""Whole collections as they are stored, for clients of the old API."""

from collections.abc import Callable

from resolvers.context import Context
from stores.contracts.documents import Collection, Document, Order, Query, equals
from stores.contracts.errors import BadUserInput
from stores.entities import collections
from stores.entities.secrets import mask_secrets

# What may be asked for: how it is named in an application, and whether all applications share it.
KINDS: dict[str, Callable[[str], Collection]] = {
    "devices": collections.devices,
    "connectors": collections.connectors,
    "config": collections.configuration,
    "event_classes": lambda _: collections.EVENT_CLASSES,
    "functions": lambda _: collections.FUNCTIONS,
    "gateways": lambda _: collections.GATEWAYS,
    "templates": lambda _: collections.CONNECTORS,
}
SHARED = ("event_classes", "functions")
OF_ORGANIZATION = ("gateways", "templates")
WITH_SECRETS = ("connectors", "templates")
NEWEST_FIRST = Order(("createdAt",), descending=True)


async def list_documents(
    context: Context, organization_id: str, application_id: str | None, kind: str
) -> list[Document]:
    """Every document of a kind, registered application or not; secrets are masked."""
    tenant = context.viewer.tenant(organization_id)
    if application_id is None and kind not in OF_ORGANIZATION:
        raise BadUserInput("applicationId is required", fields=["applicationId"])
    where = (equals("applicationId", application_id),) if kind in SHARED else ()
    query = Query(where, NEWEST_FIRST) if kind == "gateways" else Query(where)
    found = await tenant.loaders.pages(KINDS[kind](application_id or "")).load(query)
    return [mask_secrets(each) for each in found] if kind in WITH_SECRETS else found
