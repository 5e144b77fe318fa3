"""Users of an organization as they are kept."""

from stores.contracts.records import Record, Stored, read_string


class User(Record):
    __slots__ = ()

    name = Stored(read_string, "name", default="")
    email = Stored(read_string, "email", default="")
    role = Stored(read_string, "role", default="user")
    status = Stored(read_string, "status", default="active")
