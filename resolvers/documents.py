"""Whole collections as they are stored, for clients of the old API."""

from resolvers.context import Context
from resolvers.rules.masks import show_secrets
from resolvers.rules.repository import Repository
from stores.contracts.documents import Document
from stores.contracts.errors import BadUserInput
from stores.entities.entity import APPLICATION
from stores.entities.registry import list_document_kinds

KINDS = list_document_kinds()


async def list_documents(
    context: Context, organization_id: str, application_id: str | None, kind: str
) -> list[Document]:
    """Every document of a kind, whether its application is registered or not; secrets are masked.

    `kind` is one of `KINDS`. Raises `BadUserInput` if the kind needs an application and there is none.
    """
    entity = KINDS[kind]
    if entity.scope is not APPLICATION:
        application_id = None
    elif application_id is None:
        raise BadUserInput("applicationId is required.", fields=["applicationId"])
    documents = await Repository(context, entity, organization_id, application_id).load_all()
    return [show_secrets(context, document) for document in documents] if entity.secrets else documents
