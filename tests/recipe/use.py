"""Uses the new entity through the gateway, in a copy of the tree to which the recipe was applied."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.entities.registry import ENTITIES

SCOPE = 'organizationId: "acme", applicationId: "cnc"'
FIELDS = "{ id name machineIds startsAt endsAt updatedAt }"


async def main(folder: Path) -> None:
    app = create_app(Settings(data=folder))
    async with app.router.lifespan_context(app):
        await use(app)


# Long because it is one life of the entity, step by step.
async def use(app: Starlette) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

        async def run(query: str, code: str | None = None, **variables: Any) -> Any:
            body = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
            codes = [error["extensions"]["code"] for error in body.get("errors", ())]
            assert codes == ([] if code is None else [code]), body
            return body["data"]

        await run(
            'mutation { createOrganization(input: {organizationId: "acme", name: "A"}) { __typename } }'
        )
        create_application = (
            f'mutation {{ createApplication(input: {{{SCOPE}, name: "C"}}) {{ __typename }} }}'
        )
        await run(create_application)

        create = f"""mutation {{ createMaintenanceWindow(input: {{{SCOPE}, name: "spindles", 
          machineIds: ["M1"],          startsAt: "2026-02-01T06:00:00Z", endsAt: "2026-02-01T08:00:00Z"}})
          {{ maintenanceWindow {FIELDS} }} }}"""
        window = (await run(create))["createMaintenanceWindow"]["maintenanceWindow"]
        assert window["machineIds"] == ["M1"]
        assert window["startsAt"] == "2026-02-01T06:00:00.000Z"
        await run(create, code="CONFLICT")
        await run(create.replace('"cnc"', '"none"'), code="NOT_FOUND")

        listed = f"{{ maintenanceWindows({SCOPE}) {FIELDS} }}"
        assert (await run(listed))["maintenanceWindows"] == [window]
        data = await run(f'{{ maintenanceWindow({SCOPE}, name: "spindles") {FIELDS} }}')
        assert data["maintenanceWindow"] == window
        node = f"query($id: ID!) {{ node(id: $id) {{ __typename ... on MaintenanceWindow {FIELDS} }} }}"
        assert (await run(node, id=window["id"]))["node"] == {"__typename": "MaintenanceWindow", **window}
        documents = await run(f"{{ documents({SCOPE}, of: MAINTENANCE_WINDOWS) }}")
        assert [document["name"] for document in documents["documents"]] == ["spindles"]

        update = f"""mutation($seen: DateTime) {{ updateMaintenanceWindow(input: {{{SCOPE}, name: "spindles",
          machineIds: ["M1", "M2"], ifUpdatedAt: $seen}}) {{ maintenanceWindow {FIELDS} }} }}"""
        changed = (await run(update, seen=window["updatedAt"]))["updateMaintenanceWindow"]
        assert changed["maintenanceWindow"]["machineIds"] == ["M1", "M2"]
        assert changed["maintenanceWindow"]["id"] == window["id"]
        await run(update, seen=window["updatedAt"], code="CONFLICT")

        delete = (
            f'mutation {{ deleteMaintenanceWindow(input: {{{SCOPE}, name: "spindles"}}) {{ __typename }} }}'
        )
        await run(delete)
        await run(delete, code="NOT_FOUND")
        assert (await run(node, id=window["id"]))["node"] is None

        # Its changes are in the audit log without a line of code.
        log = (
            f'{{ auditLog(organizationId: "acme", entityId: "{window["id"]}") {{ nodes {{ operation }} }} }}'
        )
        operations = [entry["operation"] for entry in (await run(log))["auditLog"]["nodes"]]
        assert operations == [f"{verb}MaintenanceWindow" for verb in ("delete", "update", "create")], (
            operations
        )

        # Deleting the application deletes what belongs to it.
        await run(create)
        await run(f"mutation {{ deleteApplication(input: {{{SCOPE}}}) {{ __typename }} }}")
        await run(create_application)
        assert (await run(listed))["maintenanceWindows"] == []
    assert "MaintenanceWindow" in [entity.__name__ for entity in ENTITIES]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
