"""API keys: creating, listing, revoking and rotating them, and the grant of each.

These functions take the database that holds the keys, so that the command line works beside a running server.
"""

from dataclasses import asdict, astuple, dataclass
from datetime import datetime, timedelta

from bson import ObjectId

from resolvers.grants import NO_LIMITS, Grant, GrantLimits, Role
from resolvers.rules.checks import require_name
from resolvers.rules.key_text import generate_key
from resolvers.scopes import CONFIG_ENTRIES
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import Change, Document, equals, utc_now
from stores.contracts.errors import BadUserInput, NotFound
from stores.entities.api_keys import ApiKey
from stores.entities.organizations import Organization, is_organization_id

KEYS = ApiKey.collection_of()
MAX_OVERLAP = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What a new key is for. A key of an operator names no organization: it is for all of them."""

    name: str
    organization_ids: tuple[str, ...] = ()
    role: Role | None = None
    ingest: bool = False
    application_ids: tuple[str, ...] | None = None
    expires_at: datetime | None = None  # naive and in UTC
    limits: GrantLimits = NO_LIMITS


async def create_api_key(
    documents: DocumentDatabase, spec: KeySpec, *, created_by: str
) -> tuple[ApiKey, str]:
    """Store a new key, and return it with its text, which is not stored. Raises `BadUserInput`."""
    _check(spec)
    key = generate_key()
    document: Document = {
        "_id": ObjectId(),
        "keyId": key.key_id,
        "secretSha256": key.secret_sha256,
        "name": require_name(spec.name, "name"),
        "role": None if spec.role is None else spec.role.name.lower(),
        "organizationIds": list(spec.organization_ids),
        "applicationIds": None if spec.application_ids is None else list(spec.application_ids),
        "ingest": spec.ingest,
        "limits": {name: limit for name, limit in asdict(spec.limits).items() if limit is not None},
        "createdBy": created_by,
        "createdAt": utc_now(),
        "expiresAt": spec.expires_at,
        "revokedAt": None,
        "lastUsedAt": None,
    }
    await documents.insert(KEYS, document)
    return ApiKey(document), key.text


async def require_places(store: DocumentStore, spec: KeySpec) -> None:
    """Raise `NotFound` if an organization of a new key, or one of its applications there, does not exist."""
    databases = {info.name for info in await store.list_databases()} - {store.default}
    for organization_id in filter(is_organization_id, spec.organization_ids):
        entries = await store.database(organization_id).find(Organization.collection_of(), CONFIG_ENTRIES)
        if not entries and organization_id not in databases:
            raise NotFound(f"There is no organization {organization_id!r}.", fields=["organizationIds"])
        registered = {a.application_id for a in Organization(organization_id, entries[::-1]).applications}
        for application_id in spec.application_ids or ():
            if application_id not in registered:
                raise NotFound(
                    f"The organization {organization_id!r} has no application {application_id!r}.",
                    fields=["applicationIds"],
                )


def _check(spec: KeySpec) -> None:
    if spec.role is None and not spec.ingest:
        raise BadUserInput("A key needs a role, or permission to write points (ingest).", fields=["role"])
    if spec.ingest and spec.application_ids is not None:
        raise BadUserInput(
            "Points name no application: a key that writes them is for whole organizations.",
            fields=["applicationIds"],
        )
    if spec.role is Role.OPERATOR and (spec.organization_ids or spec.application_ids is not None):
        raise BadUserInput(
            "An operator's key is for every organization: name none.", fields=["organizationIds"]
        )
    if spec.role is not Role.OPERATOR and not spec.organization_ids:
        raise BadUserInput("Name the organizations that the key is for.", fields=["organizationIds"])
    for organization_id in spec.organization_ids:
        if not is_organization_id(organization_id):
            raise BadUserInput(f"{organization_id!r} is not an organization id.", fields=["organizationIds"])
    if any(limit is not None and limit < 1 for limit in astuple(spec.limits)):
        raise BadUserInput("A limit of a key must be positive.", fields=["limits"])
    if spec.expires_at is not None and spec.expires_at <= utc_now():
        raise BadUserInput("The key would have expired already.", fields=["expiresAt"])


async def list_api_keys(documents: DocumentDatabase) -> list[ApiKey]:
    """All keys, revoked and expired ones too, in the order of their creation."""
    return [ApiKey(document) for document in await documents.find(KEYS)]


async def revoke_api_key(documents: DocumentDatabase, key_id: str) -> ApiKey:
    """Revoke a key for good. Revoking it again changes nothing. Raises `NotFound`."""
    key = await find_api_key(documents, key_id)
    if key.revoked_at is not None:
        return key
    return await _change(documents, key_id, Change(set={("revokedAt",): utc_now()}))


async def rotate_api_key(
    documents: DocumentDatabase, key_id: str, overlap: timedelta, *, created_by: str
) -> tuple[ApiKey, str]:
    """A new key with the rights and the expiry of an old one, which ends after `overlap`.

    Raises `NotFound`, and `BadUserInput` for a key that has ended.
    """
    old = await find_api_key(documents, key_id)
    if not is_valid(old):
        raise BadUserInput("The key was revoked or has expired: create a new one.", fields=["keyId"])
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise BadUserInput(f"The overlap is at most {MAX_OVERLAP.days} days.", fields=["overlap"])
    grant = grant_of(old)
    spec = KeySpec(
        old.name,
        tuple(old.organization_ids),
        grant.role,
        old.ingest,
        None if old.application_ids is None else tuple(old.application_ids),
        old.expires_at,
        grant.limits,
    )
    _check(spec)
    ends = utc_now() + overlap
    # First, so that a crash between the two leaves no key that nobody knows.
    if old.expires_at is None or ends < old.expires_at:
        await _change(documents, key_id, Change(set={("expiresAt",): ends}))
    return await create_api_key(documents, spec, created_by=created_by)


async def find_api_key(documents: DocumentDatabase, key_id: str) -> ApiKey:
    """The key of an id. Raises `NotFound`."""
    matches = await documents.find(KEYS, ApiKey.query(None, equals("keyId", key_id), limit=1))
    if not matches:
        raise NotFound("API key not found", fields=["keyId"])
    return ApiKey(matches[0])


async def _change(documents: DocumentDatabase, key_id: str, change: Change) -> ApiKey:
    document = await documents.update(KEYS, [equals("keyId", key_id)], change)
    if document is None:
        raise NotFound("API key not found", fields=["keyId"])
    return ApiKey(document)


def is_valid(key: ApiKey) -> bool:
    """Whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > utc_now())


def grant_of(key: ApiKey) -> Grant:
    """The rights of a key. What cannot be read of a stored key gives no right."""
    role = Role.__members__.get((key.role or "").upper())
    is_operator = role is Role.OPERATOR
    return Grant(
        key.key_id,
        role,
        organizations=None if is_operator else frozenset(key.organization_ids),
        applications=None if is_operator or key.application_ids is None else frozenset(key.application_ids),
        ingest=key.ingest,
        expires_at=key.expires_at,
        limits=GrantLimits(**key.limits),
    )
