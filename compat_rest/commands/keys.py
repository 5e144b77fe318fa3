"""`sync-gateway new-key` and `rotate-secrets`: the keys that stored secrets are encrypted with."""

import asyncio
from typing import TYPE_CHECKING

import typer

from compat_rest.commands.terminal import (
    ConfigOption,
    DataOption,
    err,
    load_settings,
    out,
    print_error,
    print_errors_as_one_line,
    run_and_close,
)

if TYPE_CHECKING:
    from schema.server.settings import Settings
    from stores.contracts.document_store import DocumentStore
    from stores.jobs.rotation import RotationReport


def new_key(config: ConfigOption = None, data: DataOption = None) -> None:
    """Add a new key to the key file. Then restart the gateway and run rotate-secrets."""
    from stores.embedded import add_folder_key
    from stores.entities.cipher import add_key

    with print_errors_as_one_line():
        settings = load_settings(config, data)
        path = settings.secrets.key_file or settings.data / "secrets.key"
        keys = add_key(path) if settings.secrets.key_file else add_folder_key(settings.data)
    out.print(f"{path} holds {len(keys)} keys, the newest first.", soft_wrap=True)
    if settings.secrets.key_file is None and settings.documents.url is not None:
        out.print("Set secrets.key_file to this path, so that the gateway uses it.")


def rotate_secrets(config: ConfigOption = None, data: DataOption = None) -> None:
    """Encrypt every stored secret with the newest key. Older keys may then be removed from the key file."""
    with print_errors_as_one_line():
        report = _rotate(load_settings(config, data))
    out.print(f"{report.changed} documents encrypted with the newest key")
    if report.undecryptable:
        print_error(f"{report.undecryptable} documents hold secrets that no key decrypts.")
        raise typer.Exit(1)


def _rotate(settings: "Settings") -> "RotationReport":
    from rich.progress import Progress

    from schema.server.opening import open_audit_trail, open_cipher, open_documents
    from stores.contracts.errors import BadUserInput
    from stores.jobs.rotation import rotate_stored_secrets

    cipher = open_cipher(settings)
    if not cipher.has_keys:
        raise BadUserInput("There is no key: run new-key, and set secrets.key_file to the file it names.")
    with Progress(console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("encrypting", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        async def rotate(store: "DocumentStore") -> "RotationReport":
            rotation = await rotate_stored_secrets(store, cipher, report)
            journal = open_audit_trail(settings, store).start_journal("command line", "rotateSecrets")
            await journal.add_action(None, {"changedDocuments": rotation.changed})
            return rotation

        return asyncio.run(run_and_close(open_documents(settings), rotate))
