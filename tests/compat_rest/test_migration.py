"""What helps clients to move: each old route beside the operation that it is."""

import httpx
from graphql import parse, validate

from compat_rest.handler import OPERATIONS
from compat_rest.migration import operations
from compat_rest.table import TABLE
from schema.types.root import schema


def test_every_row_names_an_operation_and_every_operation_has_a_row() -> None:
    assert {route.operation for route in TABLE} == set(operations(OPERATIONS))
    assert len({(route.method, route.path) for route in TABLE}) == len(TABLE) == 67


def test_every_operation_stands_on_its_own() -> None:
    for text in operations(OPERATIONS).values():
        assert validate(schema._schema, parse(text)) == []


async def test_each_answer_points_to_the_operation_in_its_place(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/services")
    assert response.headers["deprecation"].startswith("@")
    assert response.headers["link"] == '</api/migrate#Services>; rel="successor-version"'
    page = await client.get("/api/migrate")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for route in TABLE:
        assert f'id="{route.operation}"' in page.text


async def test_the_openapi_document_holds_every_row(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == {(route.method, route.path) for route in TABLE}
    names = [each["operationId"] for methods in described["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)
