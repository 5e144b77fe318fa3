"""Two organizations whose machines have the same ids: neither reads a point of the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.schema.series_gateway import (
    ANALYTICS,
    APPLICATION,
    ASSIGN,
    DEVICE,
    FOREIGN,
    OWN,
    SERIES,
    UNASSIGNED,
    Gateway,
    check_own_points,
    open_gateway,
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with the embedded stores."""
    async with open_gateway(tmp_path) as gateway:
        yield gateway


async def test_in_the_embedded_store_each_organization_has_a_database(gateway: Gateway) -> None:
    for organization in (OWN, FOREIGN):
        await gateway.add_device(organization, "M0")
        assert await gateway.write(organization, "M0", f"of {organization}") == 204
    await check_own_points(gateway)


async def test_who_creates_a_device_with_the_id_of_another_reads_nothing(gateway: Gateway) -> None:
    await gateway.add_device(OWN, "M0")
    assert await gateway.write(OWN, "M0", "secret") == 204
    assert await gateway.write("operator", "M0", "secret") == 204
    for machine in ("M0", "never"):
        await gateway.add_device(FOREIGN, machine)
    for query in (DEVICE, SERIES):
        responses = [await gateway.ask(FOREIGN, query, o=FOREIGN, m=machine) for machine in ("M0", "never")]
        # Each names its machine in hints, and nothing else of it.
        own, never = (
            str(r).replace(f"{m} has", "has") for r, m in zip(responses, ("M0", "never"), strict=True)
        )
        assert own == never
        assert "secret" not in own
    assert "secret" not in str(await gateway.data(FOREIGN, APPLICATION, o=FOREIGN))
    assert await gateway.execution(OWN, OWN, "M0") == "secret"


async def test_points_go_to_the_organization_of_the_key_the_request_or_the_machine(gateway: Gateway) -> None:
    for organization in (OWN, FOREIGN):
        for machine in ("both", f"of-{organization}"):
            await gateway.add_device(organization, machine)
    read = gateway.execution
    await gateway.write(OWN, "both", "by key")
    assert (await read(OWN, OWN, "both"), await read(FOREIGN, FOREIGN, "both")) == ("by key", None)
    await gateway.write("operator", "both", "by request", f"bucket=machines&organization={FOREIGN}")
    assert (await read(OWN, OWN, "both"), await read(FOREIGN, FOREIGN, "both")) == ("by key", "by request")
    await gateway.write("both", "both", "named", f"bucket=machines&organization={OWN}")
    assert (await read(OWN, OWN, "both"), await read(FOREIGN, FOREIGN, "both")) == ("named", "by request")
    await gateway.write("operator", "of-own", "by machine")
    await gateway.write("both", "of-foreign", "by machine")
    assert await read(OWN, OWN, "of-own") == await read(FOREIGN, FOREIGN, "of-foreign") == "by machine"

    for who, query in (
        (OWN, f"bucket=machines&organization={FOREIGN}"),
        (OWN, "bucket=machines&organization=missing"),
        ("operator", "bucket=machines&organization=missing"),
        ("operator", "bucket=machines&organization=.."),
        ("operator", f"bucket=server__stats&organization={OWN}"),
        (OWN, "bucket=server__stats"),
        (OWN, f"bucket=organization/{FOREIGN}"),
        (OWN, "bucket="),
    ):
        assert await gateway.write(who, "both", "nowhere", query) == 404, query
    assert "nowhere" not in str(await gateway.data("operator", ANALYTICS))


async def test_points_of_nobody_and_of_several_are_seen_and_assigned_by_operators_alone(
    gateway: Gateway,
) -> None:
    for organization in (OWN, FOREIGN):
        await gateway.add_device(organization, "both")
    for machine in ("both", "unknown", None):
        assert await gateway.write("operator", machine, "of nobody") == 204
    listed = await gateway.data("operator", UNASSIGNED)
    assert listed["unassignedMachines"] == [
        {"machineId": "both", "organizationIds": [FOREIGN, OWN]},
        {"machineId": "unknown", "organizationIds": []},
    ]
    page = '{ unassignedMachines(first: 1, after: "both") { machineId } }'
    assert (await gateway.data("operator", page))["unassignedMachines"] == [{"machineId": "unknown"}]
    for query, variables in ((UNASSIGNED, {}), (ASSIGN, {"o": OWN, "m": "unknown"})):
        refusal = await gateway.ask(OWN, query, **variables)
        assert "Cannot query field" in refusal["errors"][0]["message"]
    machine = '{ machine(machineId: "unknown") { status { execution } } }'
    assert (await gateway.data("operator", machine))["machine"]["status"] == {"execution": "of nobody"}

    # Whoever registers the machine gets its later points, and not those that were there.
    await gateway.add_device(OWN, "unknown")
    assert await gateway.execution(OWN, OWN, "unknown") is None
    assert (await gateway.data("operator", UNASSIGNED))["unassignedMachines"][1]["organizationIds"] == [OWN]
    assert (await gateway.data("operator", machine))["machine"]["status"] is None
    await gateway.data("operator", ASSIGN, o=OWN, m="unknown")
    assert await gateway.execution(OWN, OWN, "unknown") == "of nobody"
    assert (await gateway.data("operator", machine))["machine"]["status"] == {"execution": "of nobody"}
    assert await gateway.code("operator", ASSIGN, o=OWN, m="unknown") == "NOT_FOUND"
    assert await gateway.code("operator", ASSIGN, o="missing", m="both") == "NOT_FOUND"


async def test_a_device_that_is_removed_or_moved_leaves_its_points_behind(gateway: Gateway) -> None:
    await gateway.add_device(OWN, "M0")
    await gateway.write("operator", "M0", "first")
    await gateway.delete_device(OWN, "M0")
    await gateway.add_device(FOREIGN, "M0")
    assert await gateway.execution(FOREIGN, FOREIGN, "M0") is None
    await gateway.write("operator", "M0", "second")
    assert await gateway.execution(FOREIGN, FOREIGN, "M0") == "second"
    await gateway.add_device(OWN, "M0")
    assert await gateway.execution(OWN, OWN, "M0") == "first"


async def test_an_operator_finds_the_machine_of_its_only_organization_or_of_the_named_one(
    gateway: Gateway,
) -> None:
    query = """query($m: String!, $o: String) { machine(machineId: $m, organizationId: $o) {
      status { execution } } }"""
    await gateway.add_device(OWN, "M0")
    await gateway.write(OWN, "M0", "of own")
    await gateway.write(FOREIGN, "M0", "of foreign")
    for organization, text in ((None, "of own"), (OWN, "of own"), (FOREIGN, "of foreign")):
        data = await gateway.data("operator", query, m="M0", o=organization)
        assert data["machine"]["status"] == {"execution": text}
    assert await gateway.code("operator", query, m="M0", o="missing") == "NOT_FOUND"
