"""Moving from the old routes: every row has an operation, and every response names it."""

import httpx
from graphql import parse, validate

from compat_rest.handler import OPERATIONS
from compat_rest.migration import print_operations
from compat_rest.routes import TABLE
from schema.types.root import schema


def test_every_row_names_an_operation_and_every_operation_has_a_row() -> None:
    assert {route.operation for route in TABLE} == set(print_operations(OPERATIONS))
    assert len({(route.method, route.path) for route in TABLE}) == len(TABLE) == 67


def test_every_operation_stands_on_its_own() -> None:
    for text in print_operations(OPERATIONS).values():
        assert validate(schema._schema, parse(text)) == []


async def test_each_response_links_to_its_operation(client: httpx.AsyncClient) -> None:
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
    described_routes = {
        (method.upper(), path) for path, methods in described["paths"].items() for method in methods
    }
    assert described_routes == {(route.method, route.path) for route in TABLE}
    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
