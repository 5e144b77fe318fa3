"""`sync-gateway keys`: the API keys that programs send. They work beside a running server."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    err,
    load_settings,
    out,
    print_errors_as_one_line,
    print_table,
    run_and_close,
)

if TYPE_CHECKING:
    from resolvers.grants import GrantLimits, Role
    from schema.server.settings import Settings
    from stores.contracts.document_store import DocumentDatabase, DocumentStore
    from stores.entities.api_keys import ApiKey

T = TypeVar("T")
CREATED_BY = "command line"
keys = typer.Typer(no_args_is_help=True, help="Create, list, revoke and rotate API keys.")


@keys.command()
# Long because typer makes the options of its parameters.
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, such as a dashboard.")],
    organization: Annotated[
        list[str] | None, typer.Option(help="An organization that the key is for; may be repeated.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="viewer, editor, admin or operator (of all organizations).")
    ] = None,
    ingest: Annotated[bool, typer.Option("--ingest", help="Permit writing points.")] = False,
    application: Annotated[
        list[str] | None, typer.Option(help="Only this application of the organizations; may be repeated.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When the key ends: after 90d, 12h or 8w. It does not end by default.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="A limit of its own: cost_per_minute=N or concurrent_requests=N; may be repeated."),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Permit organizations and applications that do not exist yet."),
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Create a key and print it. It is not stored and cannot be shown again."""
    from resolvers.api_keys import KeySpec, create_api_key, require_places
    from stores.contracts.documents import utc_now
    from stores.contracts.errors import NotFound
    from stores.embedded import record_api_keys

    async def create_checked(store: "DocumentStore") -> tuple["ApiKey", str]:
        if not allow_missing:
            try:
                await require_places(store, spec)
            except NotFound as error:
                raise NotFound(
                    f"{error.message.removesuffix('.')}. Create it first, or pass --allow-missing."
                ) from None
        database = _open_keys(settings, store, "createApiKey")
        return await create_api_key(database, spec, created_by=CREATED_BY)

    with print_errors_as_one_line():
        spec = KeySpec(
            name,
            tuple(organization or ()),
            None if role is None and ingest else _parse_role(role or "viewer"),
            ingest,
            tuple(application) if application else None,
            None if expires is None else utc_now() + _parse_duration(expires),
            _parse_limits(limit or ()),
        )
        settings = load_settings(config, data)
        key, text = _run(settings, create_checked)
        record_api_keys(settings.data)
    _print_new(key, text)


@keys.command("list")
def list_(config: ConfigOption = None, data: DataOption = None) -> None:
    """List all keys with their rights. The keys themselves are not stored."""
    from rich.table import Table

    from resolvers.api_keys import list_api_keys

    with print_errors_as_one_line():
        stored = _run_on_keys(config, data, "", list_api_keys)
    table = Table()
    table.add_column("id", no_wrap=True, min_width=12)
    for title in (
        "name",
        "rights",
        "organizations",
        "applications",
        "limits",
        "expires",
        "last used",
        "state",
    ):
        table.add_column(title)
    for key in stored:
        times = (key.expires_at, key.last_used_at)
        table.add_row(
            key.key_id,
            key.name,
            " + ".join([*([key.role] if key.role else []), *(["ingest"] if key.ingest else [])]),
            ", ".join(key.organization_ids) or "all",
            "all" if key.application_ids is None else ", ".join(key.application_ids),
            ", ".join(f"{name}={limit}" for name, limit in key.limits.items()),
            *("" if time is None else f"{time:%Y-%m-%d %H:%M}" for time in times),
            _describe_state(key),
        )
    print_table(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Revoke a key for good. Running servers reject it within 5 seconds."""
    from resolvers.api_keys import revoke_api_key

    with print_errors_as_one_line():
        key = _run_on_keys(config, data, "revokeApiKey", lambda keys: revoke_api_key(keys, key_id))
    out.print(f"The key {key.key_id} ({key.name}) is revoked.", soft_wrap=True)


@keys.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key.")],
    overlap: Annotated[str, typer.Option(help="How long the old key stays valid: 7d, 12h or 0h.")] = "7d",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Create a key with the same rights. The old key stays valid for a while."""
    from resolvers.api_keys import rotate_api_key

    with print_errors_as_one_line():
        duration = _parse_duration(overlap)
        key, text = _run_on_keys(
            config,
            data,
            "rotateApiKey",
            lambda keys: rotate_api_key(keys, key_id, duration, created_by=CREATED_BY),
        )
    _print_new(key, text)
    err.print(f"The key {key_id} ends in {overlap}.", highlight=False)


def _run(settings: "Settings", work: Callable[["DocumentStore"], Awaitable[T]]) -> T:
    from schema.server.opening import open_documents

    return asyncio.run(run_and_close(open_documents(settings), work))


def _run_on_keys(
    config: Path | None, data: Path | None, operation: str, work: Callable[["DocumentDatabase"], Awaitable[T]]
) -> T:
    settings = load_settings(config, data)
    return _run(settings, lambda store: work(_open_keys(settings, store, operation)))


def _open_keys(settings: "Settings", store: "DocumentStore", operation: str) -> "DocumentDatabase":
    """The database of the keys. What is changed is in the audit log under the name of a mutation."""
    from schema.server.opening import open_audit_trail

    journal = open_audit_trail(settings, store).start_journal(CREATED_BY, operation)
    return store.database(store.default).with_journal(journal)


def _print_new(key: "ApiKey", text: str) -> None:
    """Print the key alone on standard output, so that a script can read it."""
    err.print(f"The key {key.key_id} ({key.name}), shown only now:", soft_wrap=True)
    out.print(text, soft_wrap=True, highlight=False)


def _describe_state(key: "ApiKey") -> str:
    from resolvers.api_keys import is_valid

    if key.revoked_at is not None:
        return "revoked"
    return "valid" if is_valid(key) else "expired"


def _parse_role(role: str) -> "Role":
    from resolvers.grants import Role
    from stores.contracts.errors import BadUserInput

    if role.upper() not in Role.__members__:
        raise BadUserInput(f"{role!r} is not a role: viewer, editor, admin or operator.")
    return Role[role.upper()]


def _parse_limits(texts: Iterable[str]) -> "GrantLimits":
    from dataclasses import fields

    from resolvers.grants import GrantLimits
    from stores.contracts.errors import BadUserInput

    names = [field.name for field in fields(GrantLimits)]
    limits: dict[str, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in names or not re.fullmatch(r"[0-9]{1,12}", number):
            raise BadUserInput(f"{text!r} is not a limit: write {'=N or '.join(names)}=N.")
        limits[name] = int(number)
    return GrantLimits(**limits)


def _parse_duration(text: str) -> timedelta:
    from stores.contracts.errors import BadUserInput

    match = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if match is None:
        raise BadUserInput(f"{text!r} is not a duration: write 12h, 90d or 8w.")
    return (
        int(match[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[match[2]]
    )
