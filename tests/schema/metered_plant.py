"""A plant whose lists are within their declared maxima, with counters of its own around its stores."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from bson import ObjectId

from resolvers.context import Context, Viewer
from resolvers.grants import OPEN, Grant
from resolvers.metering import Cost, Meter, MeteredDocumentStore
from resolvers.nodes import identify
from resolvers.rules.paging import DEFAULT_PAGE_SIZE
from resolvers.series_access import SeriesAccess
from schema.engine.costs.estimator import CostEstimator
from schema.engine.execution import Executor
from schema.engine.results import OperationResult
from schema.engine.structure_limits import StructureLimits
from schema.types.cost_amounts import APPLICATIONS as APPLICATIONS_MAX
from schema.types.cost_amounts import CONNECTORS as CONNECTORS_MAX
from schema.types.cost_amounts import DEVICES_OF_APPLICATION
from schema.types.cost_amounts import ORGANIZATIONS as ORGANIZATIONS_MAX
from schema.types.cost_amounts import SERVICES as SERVICES_MAX
from schema.types.costs import field_costs
from schema.types.roles import view_of
from schema.types.root import schema
from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.samples import SECOND, Point, SampleColumns
from stores.entities.applications import SHIFT_PLAN
from stores.entities.cipher import SecretCipher
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device, LegacyDevice
from stores.entities.event_classes import EventClass
from stores.entities.functions import Function
from stores.entities.icons import Icons
from stores.entities.organizations import Organization
from stores.entities.services import Service
from stores.entities.shift_plans import WEEKDAYS
from stores.entities.users import User
from stores.opening import open_icon_files
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Interceptor, StoreCall
from stores.wrappers.series import wrap_series
from tests.schema.random_queries import RANGES

T = TypeVar("T")
PLAIN_TEXT = SecretCipher.store_plain_text()
ORGANIZATIONS = ("acme", "brew")
APPLICATIONS = ("cnc", "energy", "line")
MACHINES = [f"M{n}" for n in range(6)]
READS = (
    "find",
    "latest",
    "points",
    "changes",
    "neighbours",
    "windows",
    "areas",
    "counters",
    "last",
    "last_by_machine",
)
PLAN = {
    "shifts": [
        {"name": name, "start": f"{hour:02}:00", "end": f"{(hour + 2) % 24:02}:00", "days": list(WEEKDAYS)}
        for hour, name in zip(range(0, 24, 2), "ABCDEFGHIJKL", strict=True)
    ]
}
LIMITS = StructureLimits(aliases=1000, recursion=50, selections=100_000)


class StoreCounter(Interceptor):
    """Counts the calls to a store and what they return: documents or points."""

    def __init__(self) -> None:
        self.calls = self.returned = 0

    async def run(self, call: StoreCall, proceed: Callable[[], Awaitable[T]]) -> T:
        self.calls += 1
        result = await proceed()
        if call.operation in READS:
            self.returned += count_items(result, is_document=call.operation == "find")
        return result


def count_items(value: Any, *, is_document: bool) -> int:
    """How many items there are in nested lists, sets and, unless they are documents, dictionaries."""
    if isinstance(value, dict) and not is_document:
        return sum(count_items(item, is_document=False) for item in value.values())
    if isinstance(value, list | set | SampleColumns):
        return sum(count_items(item, is_document=is_document) for item in value)
    return 1


def list_points(now: int) -> list[Point]:
    """What all machines have reported: states and pieces every ten minutes, and two alarms."""
    points = [
        Point(measurement, (("machine_id", machine),), dict(fields), now - n * 600 * SECOND)
        for machine in MACHINES
        for n in range(1, 40)
        for measurement, fields in (
            ("state", {"power": n % 3 > 0, "execution": ("ACTIVE", "READY")[n % 2], "mode": "AUTOMATIC"}),
            ("production", {"pieces_produced": n, "scrap": n % 2}),
        )
    ]
    points += [  # of two series, which queries may ask about by groups
        Point("lanes", (("lane", "ab"[n % 2]), ("machine_id", machine)), {"scrap": n}, now - n * 600 * SECOND)
        for machine in MACHINES
        for n in range(1, 40)
    ]
    tags = (("event_class", "ALARM"), ("event_id", "f"))
    points += [
        Point("events", (*tags, ("machine_id", machine)), {"event_value": value}, now - n * 600 * SECOND)
        for machine in MACHINES
        for n, value in ((30, "HOT"), (20, "NONE"), (9, "HOT"))
    ]
    return points


class MeteredPlant:
    """A plant whose lists are within their declared maxima, and an executor of queries over it."""

    def __init__(self, folder: Path) -> None:
        self.documents = SqliteDocumentStore(folder / "documents.db")
        self.series = SqliteSeriesStore(folder / "series.db")
        self.icons = Icons(open_icon_files(folder / "icons"))
        self.node_ids: list[str] = []
        self.document_ids: list[str] = []
        estimator = CostEstimator(field_costs(), ORGANIZATIONS_MAX)
        self.executor = Executor(schema, LIMITS, estimator)

    async def run(self, query: str, variables: dict[str, Any], grant: Grant = OPEN) -> "Measurement":
        """Execute a query, and measure what it cost."""
        documents, series = StoreCounter(), StoreCounter()
        meter = Meter()
        store = MeteredDocumentStore(WrappedDocumentStore(self.documents, documents), meter)
        access = SeriesAccess(wrap_series(wrap_series(self.series, series), meter))
        context = Context(Viewer(store, access, grant), self.icons, PLAIN_TEXT, meter=meter)
        result = await self.executor.run(query, variables, None, context, view=view_of(grant))
        calls = documents.calls + series.calls
        counted = Cost(calls, documents.returned, series.returned, meter.actual.objects)
        return Measurement(result, meter, counted)

    async def fill(self) -> None:
        for organization in ORGANIZATIONS:
            database = self.documents.database(organization)
            settings = {
                name: {"name": name, "timeZone": "Asia/Tokyo", SHIFT_PLAN: PLAN} for name in APPLICATIONS
            }
            value = {"applicationSettings": settings, "defaultApplication": "cnc"}
            await database.upsert(
                Organization.collection_of(),
                [
                    {"_id": ObjectId(), "key": "organization", "value": {"name": organization}},
                    {"_id": ObjectId(), "key": "applications", "value": value},
                ],
            )
            users = [{"_id": ObjectId(), "name": f"U{n}", "email": f"u{n}@x.example"} for n in range(3)]
            await database.upsert(User.collection_of(), users)
            await self._add_connectors(database, ConnectorTemplate, organization, None, ["Fanuc", "Haas"])
            for application in APPLICATIONS:
                await self._fill_application(database, organization, application)
        services = [{"_id": ObjectId(), "name": f"S{n}", "type": "mqtt"} for n in range(3)]
        shared = self.documents.database(self.documents.default)
        await shared.upsert(Service.collection_of(), services)
        legacy = [{"_id": ObjectId(), "machineId": m, "organizationId": "acme"} for m in MACHINES]
        await shared.upsert(LegacyDevice.collection_of(), legacy)
        self.document_ids += [str(document["_id"]) for document in services]
        points = list_points(time.time_ns())
        for name in ("machines", *(f"organization/{id_}" for id_ in ORGANIZATIONS)):
            assert not any(await self.series.write(name, points))

    async def _fill_application(self, database: Any, organization: str, application: str) -> None:
        devices = [
            {
                "_id": ObjectId(),
                "machineId": machine,
                "connectors": ["Fanuc", f"{application} line"],
                "events": [{"id": "e", "class": "MODE"}, {"id": "f", "class": "ALARM"}],
                "properties": {"ip": "192.0.2.1", "hall": number},
            }
            for number, machine in enumerate(MACHINES)
        ]
        await database.upsert(Device.collection_of(application), devices)
        await self._add_connectors(database, Connector, organization, application, [f"{application} line"])
        classes = [
            {"_id": ObjectId(), "id": name, "class": name, "applicationId": application}
            for name in ("MODE", "ALARM")
        ]
        await database.upsert(EventClass.collection_of(), classes)
        function = {"_id": ObjectId(), "id": "F", "name": "F", "applicationId": application}
        await database.upsert(Function.collection_of(), [function])
        self.node_ids.append(identify(Device(devices[0], organization, application)))
        self.node_ids.append(identify(EventClass(classes[0], organization, application)))

    async def fill_to_sizes(self) -> None:
        """The plant of the documentation, with lists that are as long as their sizes."""
        applications = ["cnc-monitoring", "energy", *(f"app{n}" for n in range(APPLICATIONS_MAX - 2))]
        value = {"applicationSettings": {name: {"name": name} for name in applications}}
        for organization in ("ferro-works", *(f"org{n}" for n in range(DEFAULT_PAGE_SIZE))):
            entries = [
                {"_id": ObjectId(), "key": "organization", "value": {"name": organization}},
                {"_id": ObjectId(), "key": "applications", "value": value},
            ]
            await self.documents.database(organization).upsert(Organization.collection_of(), entries)
        ferro = self.documents.database("ferro-works")
        names = [f"C{n}" for n in range(CONNECTORS_MAX)]
        await self._add_connectors(ferro, ConnectorTemplate, "ferro-works", None, names)
        await self._add_connectors(ferro, Connector, "ferro-works", "cnc-monitoring", names)
        for application, kind in (("cnc-monitoring", "LATHE"), ("energy", "METER")):
            devices = [
                {"_id": ObjectId(), "machineId": f"{kind}-{n:02}", "connectors": names[:5]}
                for n in range(1, DEVICES_OF_APPLICATION + 1)
            ]
            await ferro.upsert(Device.collection_of(application), devices)
        services = [{"_id": ObjectId(), "name": f"S{n}", "type": "mqtt"} for n in range(SERVICES_MAX)]
        await self.documents.database(self.documents.default).upsert(Service.collection_of(), services)

    async def _add_connectors(
        self, database: Any, entity: Any, organization: str, application: str | None, names: list[str]
    ) -> None:
        connectors = [{"_id": ObjectId(), "name": name, "driver": "fanuc"} for name in names]
        await database.upsert(entity.collection_of(application), connectors)
        self.document_ids.append(str(connectors[0]["_id"]))
        self.node_ids.append(identify(entity(connectors[0], organization, application)))

    def values(self) -> dict[str, Callable[[Random], Any]]:
        """Arguments that mean something to the plant, by their names."""
        return {
            "organizationId": lambda random: random.choice([*ORGANIZATIONS, "none"]),
            "applicationId": lambda random: random.choice([*APPLICATIONS, "none"]),
            "machineId": lambda random: random.choice([*MACHINES, "none"]),
            "documentId": lambda random: random.choice([*self.document_ids, "not an ObjectId"]),
            "id": lambda random: random.choice(self.node_ids),
            "first": lambda random: random.choice([0, 1, 2, 5, 50, 1000]),
            "search": lambda random: random.choice(["a", "w", "none"]),
            "name": lambda random: random.choice(["S0", "fanuc"]),
            "subject": lambda _: "open",
            "compare": lambda _: "P1D",
            "by": lambda _: ["lane"],
            "category": lambda _: "drivers",
            "key": lambda random: random.choice(["ip", "hall"]),
            "measurement": lambda random: random.choice(["state", "production"]),
            "field": lambda random: random.choice(["power", "execution", "pieces_produced", "scrap"]),
            "range": lambda random: random.choice(RANGES),
            "every": lambda random: random.choice(
                [{"duration": "PT10M"}, {"unit": "HOUR"}, {"unit": "SHIFT"}, {"dayTimes": ["06:00", "14:00"]}]
            ),
            "machines": lambda random: [
                {"organizationId": o, "applicationId": a, "machineId": m}
                for o, a, m in {
                    (random.choice(ORGANIZATIONS), random.choice(APPLICATIONS), random.choice(MACHINES))
                    for _ in range(4)
                }
            ],
            "fields": lambda random: [
                {"measurement": "production", "field": "pieces_produced"},
                {"measurement": random.choice(["state", "production"]), "field": "scrap"},
            ],
            "pieces": lambda _: {"measurement": "production", "field": "pieces_produced"},
            "scrap": lambda random: {
                "measurement": random.choice(["state", "production", "none"]),
                "field": "scrap",
            },
        }


class Measurement:
    """A result, the meter of its request, and what was counted at the stores."""

    def __init__(self, result: OperationResult, meter: Meter, counted: Cost) -> None:
        self.result, self.meter, self.counted = result, meter, counted
