"""Which collections there are, under which names, and what may be asked of them."""

from stores.contracts.documents import Collection, Unique

CONFIG = Collection("config", unique=(Unique(("key",)),), indexes=(("key",),))
USERS = Collection("users", unique=(Unique(("email",)),))
GATEWAYS = Collection("gateways", unique=(Unique(("gatewayId",)),), indexes=(("createdAt",),))
CONNECTORS = Collection("connectors", unique=(Unique(("name",)),))
FUNCTIONS = Collection(
    "functions",
    unique=(Unique(("id",), within=("applicationId",)),),
    indexes=(("applicationId",), ("id",)),
)
# The name holds one application's id for historical reasons; it is the collection of all applications.
EVENT_CLASSES = Collection(
    "monitoreo-cnc_events",
    unique=(Unique(("id",), within=("applicationId",)),),
    indexes=(("applicationId",), ("id",)),
)
SERVICES = Collection("services", unique=(Unique(("name",)),), indexes=(("name",), ("updatedAt",)))

_DEVICE_INDEXES = (
    ("machineId",),
    ("machine_id",),
    ("name",),
    ("connectors",),
    ("events", "class"),
    ("properties", "*"),
    ("createdAt",),
    ("updatedAt",),
)
LEGACY_DEVICES = Collection("devices", unique=(Unique(("machineId",)),), indexes=_DEVICE_INDEXES)


def devices(application_id: str) -> Collection:
    return Collection(
        f"{application_id}_devices",
        unique=(Unique(("machineId", "machine_id")),),
        indexes=_DEVICE_INDEXES,
    )


def connectors(application_id: str) -> Collection:
    return Collection(f"{application_id}_connectors", unique=(Unique(("name",)),))


def configuration(application_id: str) -> Collection:
    return Collection(f"{application_id}_config", indexes=(("key",),))


_FIXED = {
    c.name: c
    for c in (
        CONFIG,
        USERS,
        GATEWAYS,
        CONNECTORS,
        FUNCTIONS,
        EVENT_CLASSES,
        SERVICES,
        LEGACY_DEVICES,
    )
}


def named(name: str) -> Collection:
    """The collection of a stored name; one that is none of ours has no indexes."""
    if name in _FIXED:
        return _FIXED[name]
    for suffix, collection in (
        ("_devices", devices),
        ("_connectors", connectors),
        ("_config", configuration),
    ):
        if name.endswith(suffix):
            return collection(name.removesuffix(suffix))
    return Collection(name)
