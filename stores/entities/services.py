"""Services: servers that the whole deployment works with, in the default database."""

from stores.contracts.documents import Order
from stores.contracts.records import Stored, optional, read_bool, read_string
from stores.entities.entity import SHARED, Entity

TYPES = ("mqtt", "kafka", "influxdb", "timescaledb_cloud", "timescaledb", "redis", "topics")


class Service(Entity):
    """A server, such as an MQTT broker."""

    __slots__ = ()

    scope = SHARED
    collection = "services"
    node_kind = "Service"
    document_kind = None
    unique = (("name",),)
    indexes = ("name", "updatedAt")
    secrets = ("configuration",)
    order = Order(("updatedAt",), descending=True)

    name = Stored(read_string, "name", default="")
    type = optional(read_string, "type")
    enabled = Stored(read_bool, "enabled", default=False)
    configuration = optional(lambda value: value, "configuration")
