"""A real browser with a page of another origin: its forms and scripts change nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from compat_rest.app import create_app
from schema.server.settings import Settings
from tests.serving import open_client, served

if TYPE_CHECKING:
    from playwright.async_api import Browser

ATTACK = """<!doctype html><title>started</title>
<form method="post" action="{url}/api/organizations/acme/users" target="frame">
<input name="name" value="x"><input name="email" value="form@example.com"></form>
<iframe name="frame"></iframe>
<script type="module">
const send = (path, options) => fetch("{url}" + path, {{method: "POST", mode: "no-cors", ...options}});
const upload = new FormData();
const icon = new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>'], {{type: "image/svg+xml"}});
upload.append("icon", icon, "evil.svg");
await send("/api/library/upload", {{body: upload}});
await send("/api/v2/write?bucket=machines", {{body: "state,machine_id=M1 power=true"}});
const user = new URLSearchParams({{name: "y", email: "fetch@example.com"}});
await send("/api/organizations/acme/users", {{body: user}});
const loaded = new Promise(done => document.querySelector("iframe").onload = done);
document.forms[0].submit();
await loaded;
document.title = "done";
</script>"""


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The gateway, served on a free port, with the organization `acme`."""
    async with served(create_app(Settings(data=tmp_path))) as url:
        async with open_client(url) as client:
            await client.put("/api/organizations/acme", json={"name": "Acme"})
        yield url


async def test_a_page_of_another_origin_changes_nothing(url: str, chromium: "Browser") -> None:
    async def attack(request: Request) -> Response:
        return HTMLResponse(ATTACK.format(url=url))

    refused: list[str] = []
    async with served(Starlette(routes=[Route("/", attack)])) as foreign:
        page = await chromium.new_page()
        page.on("response", lambda r: refused.append(r.url) if r.status == 403 else None)
        # Another host name of this machine makes it another site, whose requests carry Sec-Fetch-Site.
        await page.goto(foreign.replace("127.0.0.1", "localhost"))
        await page.wait_for_function("document.title === 'done'", timeout=60_000)
    assert len(refused) == 4
    async with open_client(url) as client:
        assert (await client.get("/api/organizations/acme/users")).json() == []
        answer = await client.post("/graphql", json={"query": "{ analytics { eventsProcessed } }"})
        assert answer.json() == {"data": {"analytics": {"eventsProcessed": 0}}}
