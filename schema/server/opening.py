"""From the settings to open stores, the keys that secrets are encrypted with, and those of issuers."""

from typing import TYPE_CHECKING

from resolvers.rules.audit_trail import AuditTrail
from schema.server.settings import Settings
from schema.server.store_settings import SeriesSettings
from stores import embedded, opening
from stores.contracts.buckets import Buckets
from stores.contracts.document_store import DocumentStore
from stores.contracts.points import PointWriter
from stores.contracts.series import SeriesStore, WritableSeriesStore
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.entities.secrets import SecretRules
from stores.entities.series_layout import SeriesLayout

if TYPE_CHECKING:
    from schema.server.token_check import TokenCheck


def open_icons(settings: Settings) -> Icons:
    """The icons in the data folder. Raises `Unavailable` if the folder cannot be read."""
    return Icons(opening.open_icon_files(settings.data / "icons"))


def store_urls(settings: Settings) -> tuple[str | None, str | None]:
    """The URLs of the document store and of the time-series store; None is the embedded one."""
    documents, series = settings.documents.url, settings.series.url
    return (
        documents.get_secret_value() if documents else None,
        series.get_secret_value() if series else None,
    )


def open_documents(settings: Settings) -> DocumentStore:
    """The document store. Opening does not wait for a server. Raises `BadUserInput`."""
    documents = settings.documents
    return opening.open_documents(
        store_urls(settings)[0],
        data=settings.data,
        driver=documents.driver,
        deadline=documents.deadline,
        pool=documents.pool,
    )


def open_series(settings: Settings) -> SeriesStore:
    """The time-series store. Opening does not wait for a server. Raises `BadUserInput`."""
    series = settings.series
    return opening.open_series(
        store_urls(settings)[1],
        data=settings.data,
        deadline=series.deadline,
        token=series.token.get_secret_value() if series.token else None,
        org=series.org,
    )


def make_series_layout(settings: SeriesSettings, store: SeriesStore) -> SeriesLayout:
    """Where the series of each organization are in the store of the settings."""
    return SeriesLayout(
        settings.database,
        settings.databases,
        has_own_databases=isinstance(store, WritableSeriesStore),
        tag=settings.organization_tag,
    )


def open_point_writer(settings: Settings, store: SeriesStore) -> PointWriter:
    """What points are written to: the embedded store itself, or the write API of the server."""
    if isinstance(store, WritableSeriesStore):
        return store
    series = settings.series
    url = series.url.get_secret_value() if series.url else ""
    token = series.token.get_secret_value() if series.token else None
    return opening.open_point_writer(url, token=token, org=series.org)


def open_cipher(settings: Settings) -> SecretCipher:
    """The cipher with the keys of the settings. A key file is created if there are no keys.

    Raises `BadUserInput` and `OSError`.
    """
    return embedded.open_cipher(
        [key.get_secret_value() for key in settings.secrets.keys],
        settings.secrets.key_file,
        data=settings.data,
        embedded=settings.documents.url is None,
        paths=settings.secrets.paths,
        plain_text=settings.secrets.plain_text,
    )


def open_audit_trail(settings: Settings, store: DocumentStore) -> AuditTrail:
    """The audit log in an open store."""
    return AuditTrail(store, SecretRules(settings.secrets.paths), settings.audit.entries)


def open_token_check(settings: Settings) -> "TokenCheck | None":
    """What checks the tokens of the issuers, if there are any. Opening does not wait for an issuer."""
    if not settings.auth.issuers:
        return None  # without an import of the HTTP client
    from schema.server.key_sets import KeySet
    from schema.server.token_check import TokenCheck

    return TokenCheck([KeySet(issuer) for issuer in settings.auth.issuers])


def open_buckets(settings: Settings) -> Buckets:
    """The buckets of the budgets: of this process, or shared by `limits.store`. This waits for no server."""
    store = settings.limits.store
    return opening.open_buckets(store.get_secret_value() if store else None)
