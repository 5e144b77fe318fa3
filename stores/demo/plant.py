"""The demo plant of `plant.yaml`, as documents: the same, with the same ids, whenever they are made."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml
from bson import ObjectId

from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Collection, Document, OneOf, Query, format_time
from stores.entities.applications import SHIFT_PLAN
from stores.entities.cipher import SecretCipher
from stores.entities.configuration import ConfigEntry
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device, LegacyDevice
from stores.entities.event_classes import EventClass
from stores.entities.functions import Function
from stores.entities.gateways import Gateway
from stores.entities.organizations import APPLICATIONS_KEY, ORGANIZATION_KEY, Organization
from stores.entities.registry import find_entity_of_collection
from stores.entities.services import Service
from stores.entities.users import User

DATA_FILE = Path(__file__).with_name("plant.yaml")
FIRST_DAY = datetime(2026, 1, 12, 6, 0)


async def load(store: DocumentStore, cipher: SecretCipher) -> int:
    """Add the documents that are missing, and return how many they are. Those that exist stay unchanged."""
    added = 0
    for database, collection, documents in make_documents(store.default):
        stored = store.database(database)
        ids = OneOf(("_id",), tuple(document["_id"] for document in documents))
        existing = await stored.find(collection, Query(where=(ids,), keys=frozenset({"_id"})))
        existing_ids = {document["_id"] for document in existing}
        missing = [document for document in documents if document["_id"] not in existing_ids]
        if collection == Organization.collection_of() and await stored.find(collection):
            missing = []  # somebody has made this organization
        entity = find_entity_of_collection(collection.name, is_default=database == store.default)
        if entity is not None and entity.secrets:
            missing = [cipher.encrypt(document) for document in missing]
        await stored.upsert(collection, missing)
        added += len(missing)
    return added


def make_documents(default: str) -> Iterator[tuple[str, Collection, list[Document]]]:
    """Each database and collection with its documents; `default` names the database of what is shared."""
    for organization, details in _load_plant()["organizations"].items():
        yield organization, Organization.collection_of(), _make_config_documents(organization, details)
        yield organization, User.collection_of(), _make_users(organization, details["people"])
        yield organization, Gateway.collection_of(), _make_gateways(organization, details["gateways"])
        yield organization, ConnectorTemplate.collection_of(), _make_templates(organization, details)
        for application, settings in details["applications"].items():
            scope = (organization, application)
            yield organization, Device.collection_of(application), _make_devices(scope, settings["lines"])
            yield organization, Connector.collection_of(application), _make_connectors(scope, settings)
            shift = _make_id("shift", *scope) | {"key": "shift", "value": {"starts": "06:00"}}
            yield organization, ConfigEntry.collection_of(application), [shift]
            yield organization, EventClass.collection_of(), _make_event_classes(scope, settings["lines"])
            yield organization, Function.collection_of(), _make_functions(scope, settings["functions"])
    yield default, Service.collection_of(), _make_services()
    yield default, LegacyDevice.collection_of(), _make_legacy_devices()


def machines() -> Iterator[tuple[str, str, str]]:
    """Organization, application and machine id of every machine."""
    for organization, details in _load_plant()["organizations"].items():
        for application, settings in details["applications"].items():
            for line in settings["lines"]:
                for number in range(1, line["count"] + 1):
                    yield organization, application, f"{line['prefix']}-{number:02}"


@cache
def _load_plant() -> dict[str, Any]:
    plant: dict[str, Any] = yaml.safe_load(DATA_FILE.read_text(encoding="utf-8"))
    return plant


def _make_id(*names: str, day: int = 0) -> Document:
    """An id that is always the same for its names."""
    digest = hashlib.blake2b("/".join(names).encode(), digest_size=8).digest()
    time = FIRST_DAY + timedelta(days=day, seconds=digest[0])
    return {"_id": ObjectId(int(time.timestamp()).to_bytes(4, "big") + digest)}


def _make_times(day: int) -> Document:
    time = FIRST_DAY + timedelta(days=day, hours=2)
    return {"createdAt": time, "updatedAt": time + timedelta(days=3)}


def _make_config_documents(organization: str, details: dict[str, Any]) -> list[Document]:
    value = {
        "organizationId": organization,
        "organizationName": details["name"],
        **{key: details[key] for key in ("name", "description", "email", "website")},
        "status": "active",
        "createdAt": format_time(FIRST_DAY),
        "updatedAt": format_time(FIRST_DAY + timedelta(days=3)),
    }
    applications = details["applications"]
    settings = {
        application: {
            "name": details["name"],
            "description": details["description"],
            "status": "active",
            "collections": ["devices", "config", "connectors"],
            "createdAt": FIRST_DAY,
            "timeZone": details["time_zone"],
        }
        | ({SHIFT_PLAN: {"shifts": details["shifts"], "updatedAt": FIRST_DAY}} if "shifts" in details else {})
        for application, details in applications.items()
    }
    registered: Document = {
        "availableApplications": list(applications),
        "defaultApplication": next(iter(applications)),
        "applicationSettings": settings,
    }
    return [
        _make_id(organization) | {"key": ORGANIZATION_KEY, "value": value},
        _make_id(organization, APPLICATIONS_KEY) | {"key": APPLICATIONS_KEY, "value": registered},
    ]


def _make_users(organization: str, people: dict[str, str]) -> list[Document]:
    return [
        _make_id(organization, name)
        | {
            "name": name,
            "email": f"{name.split()[0].lower()}@{organization}.example",
            "role": role,
            "status": "active",
            "organizationId": organization,
            "createdAt": format_time(FIRST_DAY),
        }
        for name, role in people.items()
    ]


def _make_gateways(organization: str, locations: dict[str, str]) -> list[Document]:
    return [
        _make_id(organization, gateway_id, day=day)
        | {"gatewayId": gateway_id, "name": f"Edge box {gateway_id[-2:]}", "location": location}
        | {"status": "connected"}
        | _make_times(day)
        for day, (gateway_id, location) in enumerate(locations.items())
    ]


def _make_templates(organization: str, details: dict[str, Any]) -> list[Document]:
    """The templates that the organization's machines use themselves or through a copy of them."""
    applications = details["applications"].values()
    used = {name for settings in applications for line in settings["lines"] for name in line["connectors"]}
    used |= {template for settings in applications for template in settings["connectors"].values()}
    return [
        _make_id(organization, name)
        | {"name": name, **template}
        | {"collections": {"STATE": {"used": True, "variables": {}}}, "applicationId": ""}
        | {"organizationId": organization}
        | _make_times(0)
        for name, template in _load_plant()["templates"].items()
        if name in used
    ]


def _make_connectors(scope: tuple[str, str], settings: dict[str, Any]) -> list[Document]:
    documents = []
    for name, template_name in settings["connectors"].items():
        template = _load_plant()["templates"][template_name]
        document = {
            "name": name,
            "driver": template["driver"],
            "description": f"{template['description']}, {name.lower()}",
            "properties": template["properties"] | {"host": "192.0.2.10"},
            "collections": {"STATE": {"used": True, "variables": {"power": {"label": "Power"}}}},
        }
        documents.append(_make_id(*scope, name, day=1) | document | _make_owner(scope) | _make_times(1))
    return documents


def _make_devices(scope: tuple[str, str], lines: list[dict[str, Any]]) -> list[Document]:
    documents = []
    for line in lines:
        prefix, connectors = line["prefix"], line["connectors"]
        events = [
            {"id": name.lower(), "label": name.replace("_", " ").title(), "class": name}
            for name in line["event_classes"]
        ]
        models = islice(cycle(line["models"]), line["count"])
        for number, (manufacturer, model, year) in enumerate(models, 1):
            machine_id = f"{prefix}-{number:02}"
            digest = int(hashlib.blake2b(machine_id.encode(), digest_size=1).hexdigest(), 16)
            document = {
                "machineId": machine_id,
                "name": f"{prefix.title()} {number}",
                "connectors": connectors[: 1 + number % len(connectors)],
                "events": events,
                "properties": {
                    "ip": f"192.0.2.{digest}",
                    "port": 8193,
                    "manufacturer": manufacturer,
                    "model": model,
                    "year": year,
                    "workOrder": f"WO-{1000 + digest}",
                    "hall": "AB"[number % 2],
                },
            }
            day = 2 + number
            documents.append(
                _make_id(*scope, machine_id, day=day) | document | _make_owner(scope) | _make_times(day)
            )
    return documents


def _make_event_classes(scope: tuple[str, str], lines: list[dict[str, Any]]) -> list[Document]:
    names = dict.fromkeys(name for line in lines for name in line["event_classes"])
    return [
        _make_id(*scope, name)
        | {"id": f"ec_{name.lower()}", "class": name, "topic": "accepted"}
        | _load_plant()["event_classes"][name]
        | {"applicationId": scope[1]}
        | _make_times(1)
        for name in names
    ]


def _make_functions(scope: tuple[str, str], functions: list[dict[str, Any]]) -> list[Document]:
    return [
        _make_id(*scope, "fn", function["name"])
        | {"id": f"fn_{function['name'].lower().replace(' ', '_')}"}
        | {key: function[key] for key in ("name", "type", "expression")}
        | {"variables": function.get("variables", []), "events": function.get("events", [])}
        | {"counter": function.get("counter"), "description": "", "applicationId": scope[1]}
        | _make_times(4)
        for function in functions
    ]


def _make_services() -> list[Document]:
    return [
        _make_id("service", service["name"], day=day) | service | _make_times(day) | {"__v": 0}
        for day, service in enumerate(_load_plant()["services"])
    ]


def _make_legacy_devices() -> list[Document]:
    return [
        _make_id("legacy", machine_id, day=day)
        | {"machineId": machine_id, "name": name, "connectors": ["MQTT"], "events": []}
        | {"properties": {"ip": f"198.51.100.{day + 1}"}}
        | _make_times(day)
        | {"__v": 0}
        for day, (machine_id, name) in enumerate(_load_plant()["legacy_devices"].items())
    ]


def _make_owner(scope: tuple[str, str]) -> Document:
    return {"organizationId": scope[0], "applicationId": scope[1]}
