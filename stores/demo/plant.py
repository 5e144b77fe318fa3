"""The demo plant: two organizations as someone would find them in a real shop, the same at every load."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from stores.contracts.documents import Collection, Document, DocumentStore, OneOf, Query, format_time
from stores.entities.cipher import SecretCipher
from stores.entities.configuration import ConfigEntry
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device, LegacyDevice
from stores.entities.event_classes import EventClass
from stores.entities.functions import Function
from stores.entities.gateways import Gateway
from stores.entities.organizations import APPLICATIONS_KEY, ORGANIZATION_KEY, Organization
from stores.entities.services import Service
from stores.entities.users import User

FIRST_DAY = datetime(2026, 1, 12, 6, 0)
FERRO, ALPINE = "ferro-works", "alpine-robotics"

# organization, application, prefix, manufacturer and model of each machine, connectors, event classes
LINES: list[tuple[str, str, str, list[tuple[str, str, int]], list[str], list[str]]] = [
    (
        FERRO,
        "cnc-monitoring",
        "LATHE",
        [("Mazak", "Quick Turn 250", 2017), ("Okuma", "Genos L3000", 2020), ("Haas", "ST-20", 2019)] * 3,
        ["FANUC", "Lathe hall"],
        ["EXECUTION", "MODE", "PIECES"],
    ),
    (
        FERRO,
        "cnc-monitoring",
        "MILL",
        [("DMG Mori", "CMX 600 V", 2021), ("Haas", "VF-2SS", 2018), ("Hermle", "C 250", 2022)] * 3,
        ["MTCONNECT"],
        ["EXECUTION", "MODE", "OP_CODE", "SPINDLE_LOAD"],
    ),
    (
        FERRO,
        "energy",
        "METER",
        [("Siemens", "PAC3200", 2016), ("Schneider", "PM5320", 2021), ("Janitza", "UMG 604", 2019)] * 2,
        ["MODBUS"],
        ["POWER", "PEAK"],
    ),
    (
        FERRO,
        "energy",
        "COMPRESSOR",
        [("Atlas Copco", "GA 30", 2018), ("Kaeser", "ASD 50", 2020)],
        ["MODBUS", "Air station"],
        ["POWER"],
    ),
    (
        ALPINE,
        "cell-monitoring",
        "ROBOT",
        [("ABB", "IRB 2600", 2019), ("KUKA", "KR 10", 2021), ("Yaskawa", "GP25", 2022)] * 3,
        ["OPCUA"],
        ["EXECUTION", "PIECES", "ALARM"],
    ),
    (
        ALPINE,
        "cell-monitoring",
        "MOUNTER",
        [("Hanwha", "SM485", 2020), ("Hanwha", "XM520", 2023)] * 3,
        ["HANWHA", "Cell 2"],
        ["EXECUTION", "PIECES"],
    ),
]
ORGANIZATIONS = {
    FERRO: ("Ferro Works", "Turned and milled parts", "plant@ferro.example", "https://ferro.example"),
    ALPINE: ("Alpine Robotics", "Assembly cells", "cells@alpine.example", "https://alpine.example"),
}
APPLICATION_NAMES = {
    "cnc-monitoring": ("CNC Monitoring", "Lathes and mills of halls A and B"),
    "energy": ("Energy", "Meters and compressed air"),
    "cell-monitoring": ("Cell Monitoring", "Robots and mounters of the assembly cells"),
}
TEMPLATES = {  # name: driver, description, properties
    "FANUC": ("fanuc", "Fanuc FOCAS over Ethernet", {"host": "", "port": "8193", "timeout": "10"}),
    "MTCONNECT": ("mtconnect", "MTConnect agent", {"url": "http://agent.example:5000", "interval": "1000"}),
    "MODBUS": ("modbus", "Modbus TCP", {"host": "", "port": "502", "unit": "1"}),
    "OPCUA": ("opcua", "OPC UA", {"endpoint": "opc.tcp://cell.example:4840", "password": "demo-only"}),
    "HANWHA": ("hanwha", "Hanwha T-Solution", {"host": "", "mqtt_password": "demo-only"}),
}
OWN_CONNECTORS = {  # name: application, template
    "Lathe hall": ("cnc-monitoring", "FANUC"),
    "Air station": ("energy", "MODBUS"),
    "Cell 2": ("cell-monitoring", "HANWHA"),
}
CLASSES: dict[str, tuple[str, dict[str, Any]]] = {  # class: type, what its values may be
    "EXECUTION": ("STR", {"auth_values": ["ACTIVE", "READY", "STOPPED", "INTERRUPTED"]}),
    "MODE": ("STR", {"auth_values": ["AUTOMATIC", "MANUAL", "MDI"]}),
    "OP_CODE": ("STR", {"auth_values": []}),
    "PIECES": ("INT", {}),
    "SPINDLE_LOAD": ("FLOAT", {"values_range": [0, 150]}),
    "POWER": ("BOOL", {}),
    "PEAK": ("FLOAT", {"values_range": [0, 400]}),
    "ALARM": ("STR", {"auth_values": ["NONE", "WARNING", "FAULT"]}),
}
FUNCTIONS: list[tuple[str, str, str, str, list[str], list[dict[str, Any]], dict[str, str] | None]] = [
    (
        "cnc-monitoring",
        "Pieces per hour",
        "Algebraic Function",
        "pieces / hours",
        ["pieces", "hours"],
        [{"type": "event", "eventClass": "PIECES", "event": "pieces_produced", "name": "pieces"}],
        None,
    ),
    (
        "cnc-monitoring",
        "Good parts",
        "Counter",
        "Good parts",
        [],
        [],
        {"name": "Good parts", "eventClass": "PIECES"},
    ),
    (
        "energy",
        "Load factor",
        "Algebraic Function",
        "mean / peak",
        ["mean", "peak"],
        [{"type": "property", "property": "rated_kw", "name": "peak"}],
        None,
    ),
    (
        "cell-monitoring",
        "Placements",
        "Counter",
        "Placements",
        [],
        [],
        {"name": "Placements", "eventClass": "PIECES"},
    ),
]
PEOPLE = {
    FERRO: [("Ana Ruiz", "admin"), ("Jon Etxe", "user"), ("Mia Kern", "viewer")],
    ALPINE: [("Lea Moser", "admin"), ("Tim Graf", "user")],
}
GATEWAYS = {
    FERRO: [("GATE-01", "Hall A"), ("GATE-02", "Hall B"), ("GATE-03", "Air station")],
    ALPINE: [("GATE-11", "Cell 1"), ("GATE-12", "Cell 2")],
}
SERVICES: list[tuple[str, str, bool, dict[str, Any]]] = [
    ("plant broker", "mqtt", True, {"host": "mqtt.example", "port": 1883, "password": "demo-only"}),
    ("machine data", "influxdb", True, {"url": "http://influx.example:8181", "token": "demo-only"}),
    ("events", "kafka", False, {"brokers": ["kafka.example:9092"], "sasl": {"password": "demo-only"}}),
    ("machine topics", "topics", True, {"prefix": "plant/"}),
]


async def load(store: DocumentStore, cipher: SecretCipher) -> int:
    """Add what is missing of the plant, and say how many documents that was. What is there stays as it is."""
    added = 0
    for database, collection, documents in plant(store.default):
        place = store.database(database)
        ids = OneOf(("_id",), tuple(document["_id"] for document in documents))
        found = await place.find(collection, Query(where=(ids,), keys=frozenset({"_id"})))
        known = {each["_id"] for each in found}
        missing = [document for document in documents if document["_id"] not in known]
        if collection == Organization.collection_of():  # an organization that somebody has made is theirs
            missing = [] if await place.find(collection) else missing
        await place.upsert(collection, [cipher.encrypt(document) for document in missing])
        added += len(missing)
    return added


def plant(default: str) -> Iterator[tuple[str, Collection, list[Document]]]:
    """Every database, collection and its documents; `default` holds what belongs to no organization."""
    for organization in ORGANIZATIONS:
        yield organization, Organization.collection_of(), list(_config(organization))
        yield organization, User.collection_of(), list(_users(organization))
        yield organization, Gateway.collection_of(), list(_gateways(organization))
        yield organization, ConnectorTemplate.collection_of(), list(_templates(organization))
        for application in _applications(organization):
            yield organization, Device.collection_of(application), list(_devices(organization, application))
            yield (
                organization,
                Connector.collection_of(application),
                list(_connectors(organization, application)),
            )
            shift = _kept("shift", organization, application) | {"key": "shift", "value": {"starts": "06:00"}}
            yield organization, ConfigEntry.collection_of(application), [shift]
            yield organization, EventClass.collection_of(), list(_classes(organization, application))
            yield organization, Function.collection_of(), list(_functions(organization, application))
    yield default, Service.collection_of(), list(_services())
    yield default, LegacyDevice.collection_of(), list(_legacy())


def machines() -> Iterator[tuple[str, str, str]]:
    """Organization, application and machine id of every machine."""
    for organization, application, prefix, models, *_ in LINES:
        for i, _ in enumerate(models, 1):
            yield organization, application, f"{prefix}-{i:02}"


def _applications(organization: str) -> list[str]:
    return list(dict.fromkeys(line[1] for line in LINES if line[0] == organization))


def _kept(*names: str, day: int = 0) -> Document:
    """The id of a thing, always the same for its names, and its times."""
    digest = hashlib.blake2b("/".join(names).encode(), digest_size=8).digest()
    time = FIRST_DAY + timedelta(days=day, seconds=digest[0])
    return {"_id": ObjectId(int(time.timestamp()).to_bytes(4, "big") + digest)}


def _times(day: int) -> Document:
    time = FIRST_DAY + timedelta(days=day, hours=2)
    return {"createdAt": time, "updatedAt": time + timedelta(days=3)}


def _config(organization: str) -> Iterator[Document]:
    name, description, email, website = ORGANIZATIONS[organization]
    value = {
        "organizationId": organization,
        "organizationName": name,
        "name": name,
        "description": description,
        "email": email,
        "website": website,
        "status": "active",
        "createdAt": format_time(FIRST_DAY),
        "updatedAt": format_time(FIRST_DAY + timedelta(days=3)),
    }
    yield _kept(organization) | {"key": ORGANIZATION_KEY, "value": value}
    applications = _applications(organization)
    settings = {
        application: {
            "name": APPLICATION_NAMES[application][0],
            "description": APPLICATION_NAMES[application][1],
            "status": "active",
            "collections": ["devices", "config", "connectors"],
            "createdAt": FIRST_DAY,
        }
        for application in applications
    }
    registered: Document = {
        "availableApplications": applications,
        "defaultApplication": applications[0],
        "applicationSettings": settings,
    }
    yield _kept(organization, APPLICATIONS_KEY) | {"key": APPLICATIONS_KEY, "value": registered}


def _users(organization: str) -> Iterator[Document]:
    for name, role in PEOPLE[organization]:
        yield _kept(organization, name) | {
            "name": name,
            "email": f"{name.split()[0].lower()}@{organization}.example",
            "role": role,
            "status": "active",
            "organizationId": organization,
            "createdAt": format_time(FIRST_DAY),
        }


def _gateways(organization: str) -> Iterator[Document]:
    for day, (gateway_id, location) in enumerate(GATEWAYS[organization]):
        kept = _kept(organization, gateway_id, day=day)
        kept |= {"gatewayId": gateway_id, "name": f"Edge box {gateway_id[-2:]}", "location": location}
        yield kept | {"status": "connected"} | _times(day)


def _templates(organization: str) -> Iterator[Document]:
    used = {name for line in LINES if line[0] == organization for name in line[4]}
    used |= {template for name, (_, template) in OWN_CONNECTORS.items() if name in used}
    for name, (driver, description, properties) in TEMPLATES.items():
        if name in used:
            kept: Document = {"name": name, "driver": driver, "description": description}
            kept |= {"properties": properties}
            kept |= {"collections": {"STATE": {"used": True, "variables": {}}}, "applicationId": ""}
            yield _kept(organization, name) | kept | {"organizationId": organization} | _times(0)


def _connectors(organization: str, application: str) -> Iterator[Document]:
    for name, (owner, template) in OWN_CONNECTORS.items():
        if owner == application:
            driver, description, properties = TEMPLATES[template]
            yield (
                _kept(organization, application, name, day=1)
                | {
                    "name": name,
                    "driver": driver,
                    "description": f"{description}, {name.lower()}",
                    "properties": properties | {"host": "192.0.2.10"},
                    "collections": {"STATE": {"used": True, "variables": {"power": {"label": "Power"}}}},
                    "organizationId": organization,
                    "applicationId": application,
                }
                | _times(1)
            )


def _devices(organization: str, application: str) -> Iterator[Document]:
    for owner, of, prefix, models, names, classes in LINES:
        if (owner, of) != (organization, application):
            continue
        for i, (manufacturer, model, year) in enumerate(models, 1):
            machine_id = f"{prefix}-{i:02}"
            events = [{"id": c.lower(), "label": c.replace("_", " ").title(), "class": c} for c in classes]
            number = int(hashlib.blake2b(machine_id.encode(), digest_size=1).hexdigest(), 16)
            yield (
                _kept(organization, application, machine_id, day=2 + i)
                | {
                    "machineId": machine_id,
                    "name": f"{prefix.title()} {i}",
                    "connectors": names[: 1 + i % len(names)],
                    "events": events,
                    "properties": {
                        "ip": f"192.0.2.{number}",
                        "port": 8193,
                        "manufacturer": manufacturer,
                        "model": model,
                        "year": year,
                        "workOrder": f"WO-{1000 + number}",
                        "hall": "AB"[i % 2],
                    },
                    "organizationId": organization,
                    "applicationId": application,
                }
                | _times(2 + i)
            )


def _classes(organization: str, application: str) -> Iterator[Document]:
    used = dict.fromkeys(
        name for line in LINES if line[:2] == (organization, application) for name in line[5]
    )
    for name in used:
        kind, values = CLASSES[name]
        kept = {"id": f"ec_{name.lower()}", "class": name, "topic": "accepted", "type": kind} | values
        yield _kept(organization, application, name) | kept | {"applicationId": application} | _times(1)


def _functions(organization: str, application: str) -> Iterator[Document]:
    for owner, name, kind, expression, variables, events, counter in FUNCTIONS:
        if owner == application:
            yield (
                _kept(organization, application, "fn", name)
                | {
                    "id": f"fn_{name.lower().replace(' ', '_')}",
                    "name": name,
                    "type": kind,
                    "expression": expression,
                    "variables": variables,
                    "events": events,
                    "counter": counter,
                    "description": "",
                    "applicationId": application,
                }
                | _times(4)
            )


def _services() -> Iterator[Document]:
    for day, (name, kind, enabled, configuration) in enumerate(SERVICES):
        kept = {"name": name, "type": kind, "enabled": enabled, "configuration": configuration}
        yield _kept("service", name, day=day) | kept | _times(day) | {"__v": 0}


def _legacy() -> Iterator[Document]:
    for day, (machine_id, name) in enumerate([("PRESS-01", "Eccentric press"), ("SAW-01", "Band saw")]):
        kept: Document = {"machineId": machine_id, "name": name, "connectors": ["MQTT"], "events": []}
        kept |= {"properties": {"ip": f"198.51.100.{day + 1}"}}
        yield _kept("legacy", machine_id, day=day) | kept | _times(day) | {"__v": 0}
