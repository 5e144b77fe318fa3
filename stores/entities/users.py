"""Users: the people of an organization."""

from stores.contracts.records import Stored, read_string
from stores.entities.entity import ORGANIZATION, Entity


class User(Entity):
    """A person of an organization."""

    __slots__ = ()

    scope = ORGANIZATION
    collection = "users"
    node_kind = "User"
    document_kind = None
    unique = (("email",),)
    indexes = ()
    secrets = ()
    ignore_case = True  # an e-mail address is one user in any case of letters

    name = Stored(read_string, "name", default="")
    email = Stored(read_string, "email", default="")
    role = Stored(read_string, "role", default="user")
    status = Stored(read_string, "status", default="active")
