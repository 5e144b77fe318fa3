"""How deep JSON values are, and how many values there are in the variables of a request."""

from typing import Any

import pytest

from compat_rest.app import create_app
from schema.engine.json_values import has_more_values, is_deeper
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client


@pytest.mark.parametrize(
    ("value", "levels"),
    [(None, 0), ("[[", 0), ([], 1), ({}, 1), ([1, "a", None], 1), ([[]], 2), ({"a": [1, {"b": {}}]}, 4)],
)
def test_levels(value: Any, levels: int) -> None:
    assert not is_deeper(value, levels)
    assert levels == 0 or is_deeper(value, levels - 1)


@pytest.mark.parametrize(
    ("value", "count"),
    [(1, 0), ([], 0), (["a"] * 7, 7), ({}, 10), ([{}, {}], 22), ({"a": [1, 2, {"b": 3}]}, 25)],
)
def test_values_are_counted_and_objects_more(value: Any, count: int) -> None:
    assert not has_more_values(value, count, per_object=10)
    assert count == 0 or has_more_values(value, count - 1, per_object=10)


async def test_too_many_values_are_rejected_on_both_doors(
    plant: str, documents: DocumentStore, series: WritableSeriesStore, tmp_path: Any
) -> None:
    settings = Settings.model_validate({"data": tmp_path, "limits": {"input_values": 1000}})
    client = Client(create_app(settings, documents=documents, series=series), documents)
    mutation = """mutation($o: String!, $c: [EventClassInput!]!) { setEventClasses(
      input: {organizationId: $o, applicationId: "cnc", eventClasses: $c}) { eventClasses { class } } }"""
    url = f"/api/applications/{plant}/applications/cnc/event-classes"
    async with client.http as http:
        for count, statuses in ((30, (200, 200)), (60, (400, 400))):
            old = [{"class": f"C{n}", "topic": "t", "type": "INT"} for n in range(count)]
            answer = await client.send(mutation, o=plant, c=old)
            put = await http.put(url, json=old)
            if statuses == (200, 200):
                assert len(answer["data"]["setEventClasses"]["eventClasses"]) == count
                assert len((await http.get(url)).json()) == count
            else:
                assert answer["errors"][0]["extensions"]["limit"] == "input_values"
                assert (put.status_code, "input_values" in put.text) == (400, True)
