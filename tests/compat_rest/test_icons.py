"""Icons on the old routes: what is read, what is rejected, and what uploads cost."""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.entities.svg import MAX_SVG_BYTES, sanitize_svg
from tests.compat_rest.conftest import SVG


@pytest.mark.parametrize(
    ("files", "path", "status"),
    [
        ([("icon", ("a.txt", b"text", "text/plain"))], "a/b", 400),
        ([("icon", ("a.png", b"<html>", "image/png"))], "a/b", 400),
        ([("file", ("a.svg", SVG, "image/svg+xml"))], "a/b", 400),
        ([("icon", ("a.svg", SVG, "image/svg+xml"))] * 2, "a/b", 400),
        ([("icon", ("a.svg", SVG, "image/svg+xml"))], "..%2F..%2Fetc/passwd", 400),
        ([("icon", ("a.svg", SVG, "image/svg+xml"))], "a/..%2Fb", 400),
        ([("icon", ("a.svg", b"<svg>" + b"<g>" * 100_000, "image/svg+xml"))], "a/b", 400),
        ([("icon", ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 5_242_880, "image/png"))], "a/b", 413),
    ],
)
async def test_an_upload_that_is_not_an_icon_is_rejected(
    client: httpx.AsyncClient, files: Any, path: str, status: int
) -> None:
    response = await client.post(f"/api/library/{path}/icon", files=files)
    assert response.status_code == status, response.text
    assert response.json()["error"]
    assert (await client.get("/api/library/a/b/icon")).status_code == 404


async def test_an_icon_is_stored_under_its_category_and_name(client: httpx.AsyncClient) -> None:
    files = {"icon": ("x.html", SVG, "image/png")}
    created = await client.post(
        "/api/library/upload", files=files, data={"category": "drivers", "name": "Mixed"}
    )
    assert created.json()["filename"] == "mixed.svg"
    response = await client.get(created.json()["path"])
    assert response.content == SVG
    assert "sandbox" in response.headers["content-security-policy"]
    assert (await client.get("/api/library/drivers/Mixed/icon/SVG")).status_code == 200
    assert (await client.get("/api/library/drivers/Mixed/icon/gif")).status_code == 400


STARTER = {
    "connectors": "mqtt postgresql influxdb modbus opcua redis s3 sqlserver",
    "drivers": "fanuc haas siemens abb kuka mazak okuma dmgmori yaskawa rockwell universal_robots hanwha focas"
    " mtconnect http opcua",
}


async def test_a_starter_icon_is_shown_until_an_upload_replaces_it(client: httpx.AsyncClient) -> None:
    for category, names in STARTER.items():
        for name in names.split():
            response = await client.get(f"/api/library/{category}/{name}/icon")
            assert (response.status_code, response.headers["content-type"]) == (200, "image/svg+xml"), name
            assert sanitize_svg(response.content) == response.content
    own = b"\x89PNG\r\n\x1a\n" + b"0" * 64
    await client.post("/api/library/drivers/fanuc/icon", files={"icon": ("a.png", own, "image/png")})
    response = await client.get("/api/library/drivers/fanuc/icon")
    assert (response.content, response.headers["content-type"]) == (own, "image/png")


@pytest.mark.parametrize(
    ("headers", "status", "part", "content_range"),
    [
        ({"Range": "bytes=0-3"}, 206, SVG[:4], f"bytes 0-3/{len(SVG)}"),
        ({"Range": "bytes=-4"}, 206, SVG[-4:], f"bytes {len(SVG) - 4}-{len(SVG) - 1}/{len(SVG)}"),
        ({"Range": "bytes=4-9999"}, 206, SVG[4:], f"bytes 4-{len(SVG) - 1}/{len(SVG)}"),
        ({"Range": "bytes=9999-"}, 416, b"", f"bytes */{len(SVG)}"),
        ({"Range": "bytes=-0"}, 416, b"", f"bytes */{len(SVG)}"),
        ({"Range": "bytes=5-2"}, 416, b"", f"bytes */{len(SVG)}"),
        ({"Range": "bytes=0-1,3-4"}, 200, SVG, None),
        ({"Range": "lines=0-1"}, 200, SVG, None),
        ({"Range": "bytes=0-3", "If-Range": '"other"'}, 200, SVG, None),
    ],
)
async def test_a_range_of_an_icon(
    client: httpx.AsyncClient, headers: dict[str, str], status: int, part: bytes, content_range: str | None
) -> None:
    await client.post("/api/library/drivers/own/icon", files={"icon": ("a.svg", SVG, "image/svg+xml")})
    response = await client.get("/api/library/drivers/own/icon", headers=headers)
    assert (response.status_code, response.content, response.headers.get("content-range")) == (
        status,
        part,
        content_range,
    )


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]
)
async def test_a_malformed_multipart_body_is_rejected(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    response = await client.post("/api/library/a/b/icon", content=b"nonsense", headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]


async def test_an_endless_upload_is_rejected_while_it_arrives(client: httpx.AsyncClient) -> None:
    sent_bytes = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent_bytes
        head = b'--x\r\nContent-Disposition: form-data; name="icon"; filename="a.png"\r\n'
        yield head + b"Content-Type: image/png\r\n\r\n"
        while sent_bytes < 64 * 1024 * 1024:
            sent_bytes += 65_536
            yield b"0" * 65_536

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await client.post("/api/library/a/b/icon", content=endless(), headers=headers)
    assert response.status_code == 413
    assert sent_bytes < 16 * 1024 * 1024


PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
DOCTYPE = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'


def declare(count: int) -> str:
    return " ".join(f'xmlns:a{n}="u{n}"' for n in range(count))


async def upload(client: httpx.AsyncClient, name: str, content: bytes) -> httpx.Response:
    files = {"icon": ("a", content, "image/png")}  # the type is read from the content
    return await client.post(f"/api/library/drivers/{name}/icon", files=files)


DRAWN = [
    f'<?xml version="1.0" encoding="utf-8"?>\n{DOCTYPE}\n<svg {NAMESPACE}><path d="M0 0"/></svg>',
    f"<!DOCTYPE svg><svg {NAMESPACE}></svg>",
]
# The cleaner would need seconds for some of these: a linear pass rejects them before.
TOO_EXPENSIVE = [
    f"<svg {NAMESPACE}><g {declare(1000)}>" + "<g/>" * 2_000 + "</g></svg>",
    f"<svg {NAMESPACE}>" + "".join(f'<g xmlns:a{n}="u">' for n in range(50)) + "<g/>" * 9 + "</g>" * 50 + "</svg>",
    f"<svg {NAMESPACE}>" + "<g>" * 64 + "</g>" * 64 + "</svg>",
    f"<svg {NAMESPACE}>" + "<g/>" * 20_000 + "</svg>",
    f"<svg {NAMESPACE}>" + "<g>" * 100_000,
    f"<svg {NAMESPACE}><text>" + "x" * 1024 * 1024 + "</text></svg>",
    f"<!DOCTYPE svg []><svg {NAMESPACE}/>",
    f'<!DOCTYPE svg [<!ENTITY a "b">]><svg {NAMESPACE}><text>&a;</text></svg>',
]  # fmt: skip
UNDECLARED_ENTITIES = [
    f"{DOCTYPE}<svg {NAMESPACE}><text>&a;</text></svg>",
    f'{DOCTYPE}<svg {NAMESPACE}><g id="&a;"/></svg>',
]


@pytest.mark.parametrize("svg", DRAWN)
async def test_an_svg_as_drawing_programs_write_it_is_stored_as_it_was_sent(
    client: httpx.AsyncClient, svg: str
) -> None:
    response = await upload(client, "own", svg.encode())
    assert response.status_code == 201, response.text
    assert (await client.get("/api/library/drivers/own/icon")).content == svg.encode()
    children = f"<g {declare(20)}/>" + f"<g {NAMESPACE}/>" * 5_000
    drawing = svg.replace("</svg>", f"{children}</svg>")
    assert (await upload(client, "own", drawing.encode())).status_code == 201


async def test_a_doctype_that_names_another_file_is_removed(client: httpx.AsyncClient) -> None:
    svg = f'<!DOCTYPE svg SYSTEM "file:///etc/hostname"><svg {NAMESPACE}><path d="M0 0"/></svg>'
    assert (await upload(client, "own", svg.encode())).status_code == 201
    assert b"hostname" not in (await client.get("/api/library/drivers/own/icon")).content


@pytest.mark.parametrize("svg", TOO_EXPENSIVE + UNDECLARED_ENTITIES)
async def test_an_expensive_svg_or_one_with_entities_is_rejected(client: httpx.AsyncClient, svg: str) -> None:
    status = 413 if len(svg) > MAX_SVG_BYTES else 400
    assert (await upload(client, "own", svg.encode())).status_code == status
    assert (await client.get("/api/library/drivers/own/icon")).status_code == 404


@pytest.mark.parametrize("svg", TOO_EXPENSIVE)
def test_an_expensive_svg_never_reaches_the_cleaner(monkeypatch: pytest.MonkeyPatch, svg: str) -> None:
    monkeypatch.delattr("stores.entities.svg.py_svg_hush.filter_svg")
    with pytest.raises((BadUserInput, LimitExceeded)):
        sanitize_svg(svg.encode())


async def test_an_older_svg_hides_a_newer_png_as_in_the_original(client: httpx.AsyncClient) -> None:
    await upload(client, "own", SVG)
    assert (await upload(client, "own", PNG)).json()["filename"] == "own.png"
    assert (await client.get("/api/library/drivers/own/icon")).content == SVG
    assert (await client.get("/api/library/drivers/own/icon/png")).content == PNG


async def test_through_the_graph_an_icon_replaces_those_in_other_formats(client: httpx.AsyncClient) -> None:
    await upload(client, "own", SVG)
    mutation = """mutation($content: Base64!) {
      uploadIcon(input: {category: "drivers", name: "Own", content: $content}) { icon { format } } }"""
    body = {"query": mutation, "variables": {"content": base64.b64encode(PNG).decode()}}
    assert "errors" not in (await client.post("/graphql", json=body)).json()
    assert (await client.get("/api/library/drivers/own/icon")).content == PNG
    assert (await client.get("/api/library/drivers/own/icon/svg")).status_code == 404
    # A starter icon is replaced, too, and never deleted.
    body["query"] = mutation.replace("Own", "fanuc")
    assert "errors" not in (await client.post("/graphql", json=body)).json()
    assert (await client.get("/api/library/drivers/fanuc/icon")).content == PNG


async def test_an_icon_is_fetched_again_by_its_global_id(client: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {"query": '{ icon(category: "drivers", name: "Fanuc") { id } }'}
    icon_id = (await client.post("/graphql", json=body)).json()["data"]["icon"]["id"]
    query = "query($id: ID!) { node(id: $id) { __typename id ... on Icon { name format } } }"
    body = {"query": query, "variables": {"id": icon_id}}
    node = (await client.post("/graphql", json=body)).json()["data"]["node"]
    assert node == {"__typename": "Icon", "id": icon_id, "name": "fanuc", "format": "svg"}


async def test_symbolic_links_in_the_icon_folder_are_not_followed(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "secret.svg").write_bytes(SVG)
    drivers = tmp_path / "icons" / "drivers"
    drivers.mkdir(parents=True)
    (drivers / "link.svg").symlink_to(tmp_path / "secret.svg")
    (drivers.parent / "outside").symlink_to(tmp_path, target_is_directory=True)
    for path in ("drivers/link", "outside/secret"):
        assert (await client.get(f"/api/library/{path}/icon")).status_code == 404
    names = await client.post("/graphql", json={"query": "{ icons { name } }"})
    assert not {"link", "secret"} & {icon["name"] for icon in names.json()["data"]["icons"]}
    assert (await upload(client, "link", PNG.replace(b"0", b"1"))).status_code == 201
    assert (await upload(client, "link", SVG.replace(b"M0", b"M1"))).status_code == 201
    files = {"icon": ("a", SVG.replace(b"M0", b"M1"), "image/svg+xml")}
    assert (await client.post("/api/library/outside/secret/icon", files=files)).status_code == 400
    assert (tmp_path / "secret.svg").read_bytes() == SVG
    assert not (drivers / "link.svg").is_symlink()


async def test_temporary_files_of_interrupted_uploads_are_removed_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "icons" / "drivers"
    code = f"""
import os, asyncio
from pathlib import Path
from stores.opening import open_icon_files
files = open_icon_files(Path({str(folder.parent)!r}))
os.replace = lambda *_: os._exit(9)  # the process ends between writing and renaming
asyncio.run(files.write_file("drivers", "own", "svg", b"half"))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 9
    assert len(os.listdir(folder)) == 1
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(Settings(data=tmp_path)))
    ) as client:
        assert os.listdir(folder) == []
        assert (await client.get("http://gateway/api/library/drivers/own/icon")).status_code == 404


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB at the place of the icons."""
    folder = tmp_path / "icons"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root on Linux only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_an_upload_to_a_full_disk_is_507_and_leaves_nothing(
    small_disk: Path, client: httpx.AsyncClient
) -> None:
    assert (await upload(client, "own", PNG)).status_code == 201
    response = await upload(client, "own", PNG + b"0" * 1024 * 1024)
    assert (response.status_code, "the disk is full" in response.json()["error"]) == (507, True)
    assert str(small_disk) not in response.text
    assert os.listdir(small_disk / "drivers") == ["own.png"]
    assert (await client.get("/api/library/drivers/own/icon")).content == PNG
    assert (await upload(client, "other", PNG)).status_code == 201
