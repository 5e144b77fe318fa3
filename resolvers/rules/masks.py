"""Masks in what clients send: each stands for the secret that is stored in its place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from resolvers.context import Context
from resolvers.grants import Role
from resolvers.rules.repository import E, Repository
from stores.contracts.documents import Change, Condition, Document, OneOf, Touch
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.secrets import has_mask

MAX_ATTEMPTS = 5


async def update_with_secrets(
    context: Context,
    repository: Repository[E],
    condition: Condition,
    values: Document,
    *,
    removed: Sequence[str] = (),
    if_updated_at: datetime | None = None,
    conflict: Conflict | None = None,
) -> E:
    """Set values in a document and remove others. Secrets are encrypted; a mask keeps the stored one.

    What a mask stood for is written only if it is still stored then, so that the change of a secret by
    another client is not undone. Raises as `Repository.update` does, and `BadUserInput` for a mask that
    stands for none or for several secrets.
    """
    encrypted = context.cipher.encrypt(values)
    masked = [key for key, value in encrypted.items() if has_mask(value)]
    for _ in range(MAX_ATTEMPTS):
        restored, conditions = encrypted, [condition]
        if masked:
            stored = (await repository.find(condition)).document
            restored = reject_masks(context.cipher.rules.restore(encrypted, stored))
            conditions += [OneOf((key,), (stored.get(key),)) for key in masked]
        change = Change(
            set={(key,): value for key, value in restored.items()},
            unset=[(key,) for key in removed],
            touch=Touch(("updatedAt",)),
        )
        record = await repository.try_update(
            conditions, change, if_updated_at=if_updated_at, conflict=conflict
        )
        if record is not None:
            return record
        if not masked or if_updated_at is not None:
            await repository.raise_not_written([condition])
    raise Conflict("The secrets are changed by another client all the time; try again.", fields=masked)


def show_secrets(context: Context, document: Document) -> Document:
    """A copy of a document in which secrets are masked, or left out for who may not change them."""
    masked = context.cipher.rules.mask(document)
    return masked if context.viewer.grant.allows(Role.EDITOR) else _remove_masks(masked)


def _remove_masks(value: Any) -> Any:
    match value:
        case dict():
            return {k: _remove_masks(v) for k, v in value.items() if not _is_masked(v)}
        case list():
            return [_remove_masks(item) for item in value if not _is_masked(item)]
    return value


def _is_masked(value: Any) -> bool:
    return isinstance(value, str) and has_mask(value)


def reject_masks(values: Document) -> Document:
    """Raise `BadUserInput` for a mask that stands for no stored secret; else return the values."""
    for key, value in values.items():
        _reject(value, key)
    return values


def _reject(value: Any, path: str) -> None:
    match value:
        case dict():
            for key, member in value.items():
                _reject(member, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                _reject(item, f"{path}.{index}")
        case str() if has_mask(value):
            raise BadUserInput(
                f"{path} has a mask, and it is not certain which secret it stands for; send the secret.",
                fields=[path],
            )
