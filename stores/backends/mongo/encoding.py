"""Writes of the document contract as BSON: operations are recorded before they are applied."""

from collections.abc import Callable, Sequence
from typing import Any

import bson

from stores.contracts.documents import (
    CODEC,
    AnyOf,
    Change,
    Collection,
    Condition,
    Contains,
    CreateCollections,
    DeleteMany,
    Document,
    DropCollections,
    Exists,
    OneOf,
    ReplaceMany,
    Touch,
    Unique,
    UpdateOne,
    Where,
    Write,
)


def encode_writes(writes: Sequence[Write]) -> bytes:
    return bson.encode({"writes": [_encode_write(write) for write in writes]})


def decode_writes(data: bytes) -> list[Write]:
    return [_decode_write(write) for write in bson.decode(data, CODEC)["writes"]]


def _encode_write(write: Write) -> Document:
    match write:
        case UpdateOne(collection, where, change, insert):
            body = {"where": _encode_where(where), "change": _encode_change(change), "insert": insert}
            return {"kind": "update", "collection": _encode_collection(collection), **body}
        case DeleteMany(collection, where):
            return {
                "kind": "delete",
                "collection": _encode_collection(collection),
                "where": _encode_where(where),
            }
        case ReplaceMany(collection, where, documents):
            body = {"where": _encode_where(where), "documents": list(documents)}
            return {"kind": "replace", "collection": _encode_collection(collection), **body}
        case CreateCollections(collections):
            return {"kind": "create", "collections": list(map(_encode_collection, collections))}
        case DropCollections(collections):
            return {"kind": "drop", "collections": list(map(_encode_collection, collections))}


def _decode_write(data: Document) -> Write:
    return DECODERS[data["kind"]](data)


DECODERS: dict[str, Callable[[Document], Write]] = {
    "update": lambda d: UpdateOne(
        _decode_collection(d["collection"]),
        _decode_where(d["where"]),
        _decode_change(d["change"]),
        d["insert"],
    ),
    "delete": lambda d: DeleteMany(_decode_collection(d["collection"]), _decode_where(d["where"])),
    "replace": lambda d: ReplaceMany(
        _decode_collection(d["collection"]), _decode_where(d["where"]), d["documents"]
    ),
    "create": lambda d: CreateCollections(list(map(_decode_collection, d["collections"]))),
    "drop": lambda d: DropCollections(list(map(_decode_collection, d["collections"]))),
}


def _encode_collection(collection: Collection) -> Document:
    unique = [[list(u.fields), list(u.within), u.ignore_case] for u in collection.unique]
    return {"name": collection.name, "unique": unique}


def _decode_collection(data: Document) -> Collection:
    unique = tuple(Unique(tuple(fields), tuple(within), case) for fields, within, case in data["unique"])
    return Collection(data["name"], unique)


def _encode_where(where: Where) -> list[Any]:
    return [_encode_condition(condition) for condition in where]


def _encode_condition(condition: Condition) -> list[Any]:
    match condition:
        case OneOf(path, values):
            return ["one of", list(path), list(values)]
        case Exists(path, present):
            return ["exists", list(path), present]
        case Contains(paths, text):
            return ["contains", [list(path) for path in paths], text]
        case AnyOf(conditions):
            return ["any of", _encode_where(conditions)]


def _decode_where(data: list[Any]) -> list[Condition]:
    return [_decode_condition(*condition) for condition in data]


def _decode_condition(kind: str, subject: list[Any], value: Any = None) -> Condition:
    match kind:
        case "one of":
            return OneOf(tuple(subject), tuple(value))
        case "exists":
            return Exists(tuple(subject), value)
        case "contains":
            return Contains(tuple(map(tuple, subject)), value)
        case _:
            return AnyOf(tuple(_decode_where(subject)))


def _encode_change(change: Change) -> Document:
    return {
        "set": [[list(path), value] for path, value in change.set.items()],
        "unset": [list(path) for path in change.unset],
        "add": [[list(path), value] for path, value in change.add.items()],
        "pull": [[list(path), value] for path, value in change.pull.items()],
        "touch": None if change.touch is None else [list(change.touch.path), change.touch.as_string],
    }


def _decode_change(data: Document) -> Change:
    touch = data["touch"]
    return Change(
        set={tuple(path): value for path, value in data["set"]},
        unset=[tuple(path) for path in data["unset"]],
        add={tuple(path): value for path, value in data["add"]},
        pull={tuple(path): value for path, value in data["pull"]},
        touch=None if touch is None else Touch(tuple(touch[0]), touch[1]),
    )
