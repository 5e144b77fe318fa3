"""Services as they are kept, in the default database."""

from stores.contracts.records import Record, Stored, optional, text, truth

TYPES = ("mqtt", "kafka", "influxdb", "timescaledb_cloud", "timescaledb", "redis", "topics")


class Service(Record):
    __slots__ = ()

    name = Stored(text, "name", default="")
    type = optional(text, "type")
    enabled = Stored(truth, "enabled", default=False)
    configuration = optional(lambda value: value, "configuration")
