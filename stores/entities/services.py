"""Services as they are kept, in the default database."""

from stores.contracts.records import Record, Stored, optional, read_bool, read_string

TYPES = ("mqtt", "kafka", "influxdb", "timescaledb_cloud", "timescaledb", "redis", "topics")


class Service(Record):
    __slots__ = ()

    name = Stored(read_string, "name", default="")
    type = optional(read_string, "type")
    enabled = Stored(read_bool, "enabled", default=False)
    configuration = optional(lambda value: value, "configuration")
