"""What a person sees who opens the gateway in a browser, and what an API client gets at the same paths."""

import re

import httpx
import pytest

from tests.compat_rest.conftest import ORGANIZATION

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_the_home_page_links_to_every_page(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Accept" in page.headers["vary"]
    links = re.findall(r'href="([^"]+)"', page.text)
    assert "/graphql" in links
    for link in links:
        assert (await client.get(link, headers=BROWSER)).status_code == 200, link


@pytest.mark.parametrize("path", ["/no/such/page", "/<script>", "/" + "x" * 5000])
async def test_an_unknown_page_is_readable(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<script>" not in page.text
    assert len(page.text) < 2000
    assert 'href="/"' in page.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/plain, */*", ""])
async def test_other_clients_get_the_old_answer(client: httpx.AsyncClient, accept: str) -> None:
    for path in ("/", "/no/such/page"):
        answer = await client.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.json()) == (404, {"error": f"Cannot GET {path}"})


async def test_answers_of_routes_stay_json_in_a_browser(client: httpx.AsyncClient) -> None:
    for path in ("/status", ORGANIZATION):
        answer = await client.get(path, headers=BROWSER)
        assert answer.headers["content-type"].startswith("application/json")
    assert (await client.delete("/", headers=BROWSER)).json() == {"error": "Cannot DELETE /"}


async def test_the_graph_is_served_with_and_without_a_slash(client: httpx.AsyncClient) -> None:
    for path in ("/graphql", "/graphql/"):
        answer = await client.post(path, json={"query": "{ __typename }"})
        assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})
        assert "Accept" in answer.headers["vary"]
        assert "graphiql" in (await client.get(path, headers=BROWSER)).text.lower()


async def test_the_schema_is_served_as_it_is_committed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/graphql/schema.graphql")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["etag"]
    assert "type Query {" in answer.text
