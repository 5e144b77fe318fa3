"""GraphiQL as a person meets it: in a browser, with nothing from outside, running a query."""

import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from graphql import parse, validate

from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.app import create_app
from schema.server.explorer import BUILT
from schema.server.settings import Settings
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.demo import plant as demo
from tests.schema.client import Client
from tests.serving import served

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The application with the demo plant, served on a free port."""
    app = create_app(Settings(data=tmp_path))
    await demo.load(app.state.app_state.documents, app.state.app_state.cipher)
    async with served(app) as url:
        yield f"{url}/graphql"


async def answered(page: "Page") -> None:
    """Execute the query until its answer stands in the page.

    GraphiQL finds out a moment after a change of tabs which operation is in it; a person is slower than that.
    """
    from playwright.async_api import TimeoutError

    # The editor draws only the lines that are seen: those of the first application.
    answer = page.locator(".graphiql-response", has_text="CNC")
    for _ in range(9):
        await page.wait_for_timeout(1000)
        await page.get_by_role("button", name="Execute query").click()
        with contextlib.suppress(TimeoutError):
            return await answer.wait_for(timeout=10_000)
    await answer.wait_for()


async def test_a_browser_runs_a_query_and_asks_nobody_else(url: str, chromium: "Browser") -> None:
    outside: list[str] = []
    complaints: list[str] = []

    async def keep_inside(route: "Route") -> None:
        if route.request.url.startswith(url.removesuffix("/graphql")):
            await route.continue_()
        else:
            outside.append(route.request.url)
            await route.abort()

    page = await chromium.new_page(viewport={"width": 1400, "height": 860})
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.route("**/*", keep_inside)
    page.set_default_timeout(90_000)  # of a machine that is busy with other things
    await page.goto(url)
    await page.get_by_role("tab", name="Machines").click()
    await page.locator(".graphiql-query-editor", has_text="query Machines").wait_for()
    try:
        await answered(page)
    finally:
        if screenshot := os.environ.get("SYNC_TEST_SCREENSHOT"):
            await page.screenshot(path=screenshot)
    tabs = await page.get_by_role("tab").all_inner_texts()
    stored = await page.evaluate("JSON.stringify(localStorage)")
    assert [name.strip() for name in tabs if name.strip()][:4] == ["Plant", "Machines", "OneMachine", "Month"]
    assert 'shouldPersistHeaders\\":true' not in stored
    assert outside == []
    assert complaints == []


# Long because it is one session of a person, step by step.
async def test_a_browser_asks_for_a_key_and_keeps_it_for_the_tab_only(
    documents: DocumentStore, tmp_path: Path, chromium: "Browser"
) -> None:
    app = create_app(Settings(data=tmp_path), documents=documents)
    await demo.load(documents, app.state.app_state.cipher)
    spec = KeySpec("dashboard", ("ferro-works",), Role.VIEWER)
    _, text = await create_api_key(documents.database(documents.default), spec, created_by="test")
    complaints: list[str] = []
    async with served(app) as url:
        context = await chromium.new_context(viewport={"width": 1400, "height": 860})
        context.set_default_timeout(90_000)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if "Security Policy" in m.text else None)
        await page.goto(f"{url}/graphql")
        dialog = page.get_by_role("dialog", name="This gateway asks for an API key")
        entry, use = (
            dialog.get_by_label("API key or token"),
            dialog.get_by_role("button", name="Use this key"),
        )
        await entry.fill("swk_mistyped")
        await use.click()
        await dialog.get_by_role("alert").wait_for()
        if screenshot := os.environ.get("SYNC_TEST_SCREENSHOT"):
            await page.screenshot(path=f"{screenshot}.key.png")
        await entry.fill(f" {text} ")
        await use.click()
        await dialog.wait_for(state="hidden")
        await page.get_by_role("tab", name="Machines").click()
        await page.locator(".graphiql-query-editor", has_text="query Machines").wait_for()
        await answered(page)
        # It survives a reload, but neither another tab nor what is stored beyond the tab has it.
        await page.reload()
        await page.get_by_role("button", name="API key of this tab").click()
        await page.get_by_role("button", name="Forget the key").wait_for()
        other = await context.new_page()
        await other.goto(f"{url}/graphql")
        await other.get_by_role("dialog", name="This gateway asks for an API key").wait_for()
        state = json.dumps(await context.storage_state())
        await page.get_by_role("button", name="Forget the key").click()
        await page.get_by_role("dialog", name="This gateway asks for an API key").wait_for()
        left = await page.evaluate("JSON.stringify([sessionStorage, document.cookie])")
    assert text not in state + left
    assert complaints == []


async def test_the_page_is_kept_from_loading_or_telling_anything(client: Client) -> None:
    response = await client.http.get("/graphql", headers={"Accept": "text/html,*/*;q=0.8"})
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "http" not in response.text.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("accepted", "coding"), [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, *;q=0", None)]
)
async def test_files_are_sent_compressed_and_kept_for_ever(
    client: Client, accepted: str, coding: str | None
) -> None:
    page = await client.http.get("/graphql", headers={"Accept": "text/html"})
    urls = re.findall(r'(?:href|src)="(/graphiql/[^"]+)"', page.text)
    assert len(urls) == 4
    for url in urls:
        file = await client.http.get(url, headers={"Accept-Encoding": accepted})
        name = url.rpartition("/")[2]
        assert file.content == (BUILT / name).read_bytes()
        assert file.headers.get("content-encoding") == (coding if name != "icon.svg" else None)
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in file.headers["vary"]
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["content-type"].partition(";")[0] == guess_type(name)[0]
    script = await client.http.get(urls[-1], headers={"Accept-Encoding": "br"})
    assert int(script.headers["content-length"]) < len(script.content) / 4


def test_every_example_matches_the_schema() -> None:
    examples = json.loads((BUILT / "examples.json").read_text())
    assert len(examples) == 4
    for example in examples:
        assert validate(schema._schema, parse(example["query"])) == []
