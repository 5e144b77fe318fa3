"""The documentation is right: its commands and queries run, its tables match the code, its links resolve.

Every code block names its language. What runs:

- `sh`: a script, in a folder like a fresh checkout with the demo plant; it must succeed. `sh server` starts a
  gateway that serves the blocks after it, and `sh stopped` runs after that gateway is stopped. A following
  `json output` or `text output` block is the output.
- `graphql`: an operation, answered without errors. `graphql error` has errors. A following `json` block is
  the response; `json like` has its keys and types.
  `graphql panel NAME` is also run by test_panels.py.
- `yaml`: a settings file. `python`: a script. `json variables` are the variables of the operation after it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schema.server.settings_loading import load_settings
from tests.docs.generate import GENERATORS, regenerate
from tests.docs.markdown import GENERATED, LINK, PROJECT, Block, list_documents, read_blocks, read_variables
from tests.docs.sandbox import Sandbox

MAX_README_LINES = 120
RUN = {"sh", "graphql", "python"}
SHOWN = {"text", "json", "yaml", "mermaid", "diff", "js", "ts", "tsx", "toml", "ini"}
# What the documentation calls the servers of others, and the tests' servers that stand for them.
EXAMPLES = {
    "mongodb": "mongodb://db.example:27017/sync",
    "influxdb3": "http://influx.example:8181",
    "influxdb2": "http://influx.example:8086",
}


def name_of(path: Path) -> str:
    """A document's path within the project."""
    return str(path.relative_to(PROJECT))


def _documents_that_run() -> Iterator[Any]:
    for path in list_documents():
        if any(block.language in RUN for block in read_blocks(path)):
            text = path.read_text()
            servers = [server for server, example in EXAMPLES.items() if example in text]
            yield pytest.param(path, " ".join(servers), id=name_of(path))


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo plant with two days of reports, loaded once."""
    folder = tmp_path_factory.mktemp("docs")
    Sandbox(folder, folder / "data", {}).run(".venv/bin/sync-gateway demo --days 2")
    return folder / "data"


@pytest.mark.slow
@pytest.mark.parametrize(("path", "servers"), [*_documents_that_run()])
def test_every_command_and_query_runs(
    path: Path, servers: str, plant: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    replacements = {EXAMPLES[name]: _address(request, name) for name in servers.split()}
    sandbox = Sandbox(tmp_path, plant, replacements)
    blocks = read_blocks(path)
    try:
        first = next(block for block in blocks if block.language in RUN)
        if "server" not in first.options:
            sandbox.start(".venv/bin/sync-gateway serve")
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            _run(sandbox, block, following, blocks)
    finally:
        sandbox.stop()


def _address(request: pytest.FixtureRequest, name: str) -> str:
    server = request.getfixturevalue(f"{name}_server")
    return f"{server.url}/sync" if name == "mongodb" else str(server.url)


def _run(sandbox: Sandbox, block: Block, following: Block | None, blocks: list[Block]) -> None:
    if block.language == "sh" and "server" in block.options:
        sandbox.start(block.text)
    elif block.language == "sh":
        if "stopped" in block.options:
            sandbox.stop()
        output = sandbox.run(block.text)
        if following is not None and "output" in following.options:
            _compare(block, following, output)
    elif block.language == "python":
        script = sandbox.folder / "example.py"
        script.write_text(sandbox.replace(block.text))
        output = sandbox.run(".venv/bin/python example.py")
        if following is not None and "output" in following.options:
            _compare(block, following, output)
    elif block.language == "graphql" and "sdl" not in block.options:
        response = sandbox.query(block.text, read_variables(blocks[blocks.index(block) - 1]))
        assert ("errors" in response) == ("error" in block.options), f"{block}: {response}"
        if following is not None and following.language == "json" and "variables" not in following.options:
            _compare(block, following, json.dumps(response))


def _compare(block: Block, expected: Block, output: str) -> None:
    if expected.language != "json":
        assert output.strip() == expected.text.strip(), f"{block}"
    elif "like" in expected.options:
        assert _form(json.loads(output)) == _form(json.loads(expected.text)), f"{block}"
    else:
        assert json.loads(output) == json.loads(expected.text), f"{block}"


def _form(value: Any) -> Any:
    """A JSON value without its numbers, strings and repetitions."""
    match value:
        case dict():
            return {key: _form(item) for key, item in value.items()}
        case list():
            return [_form(item) for item in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("path", list_documents(), ids=name_of)
def test_every_block_names_a_language_that_is_known(path: Path) -> None:
    assert [str(b) for b in read_blocks(path) if b.language not in RUN | SHOWN] == []


@pytest.mark.parametrize("path", list_documents(), ids=name_of)
def test_settings_files_are_valid(path: Path, tmp_path: Path) -> None:
    for block in read_blocks(path):
        if block.language == "yaml":
            file = tmp_path / "config.yaml"
            file.write_text(block.text)
            load_settings(file, {})


@pytest.mark.parametrize("path", list_documents(), ids=name_of)
def test_generated_parts_are_up_to_date(path: Path) -> None:
    """`python -m tests.docs.generate` writes them anew."""
    text = path.read_text()
    assert regenerate(text) == text


def test_every_generated_part_is_in_a_document() -> None:
    used = {match[1] for path in list_documents() for match in GENERATED.findall(path.read_text())}
    assert used == set(GENERATORS)


@pytest.mark.parametrize("path", list_documents(), ids=name_of)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(path.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) <= MAX_README_LINES


def test_every_document_is_linked_from_the_readme_or_another_document() -> None:
    linked = {
        (path.parent / target).resolve()
        for path in list_documents()
        for target, _ in LINK.findall(path.read_text())
        if target and "://" not in target
    }
    assert [path.name for path in list_documents() if path not in linked and path.name != "README.md"] == []
