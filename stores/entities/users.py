"""Users of an organization as they are kept."""

from stores.contracts.records import Record, Stored, text


class User(Record):
    __slots__ = ()

    name = Stored(text, "name", default="")
    email = Stored(text, "email", default="")
    role = Stored(text, "role", default="user")
    status = Stored(text, "status", default="active")
