"""Tools of attackers against a served gateway: they find no fault, and no name that they may not see."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema

from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Grant, Role
from schema.server.app import create_app
from schema.server.printed_schema import FILE
from schema.server.settings import Settings
from schema.types.roles import view_of
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import WritableSeriesStore
from stores.demo import plant as demo
from tests.docs.markdown import PROJECT
from tests.serving import served

VIEWER = KeySpec("dashboard", ("ferro-works",), Role.VIEWER)
ALL_WORDS = set(re.findall(r"\b[A-Za-z]\w*", FILE.read_text()))


async def run_tool(*arguments: str, folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a module that is run as a program, and what it wrote."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=folder,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("examples", "at_least"), [(1, 50), pytest.param(20, 1000, marks=pytest.mark.long)])
async def test_random_operations_find_no_fault(tmp_path: Path, examples: int, at_least: int) -> None:
    app = create_app(Settings(data=tmp_path))
    await demo.load(app.state.app_state.documents, app.state.app_state.cipher)
    options = ["--checks", "gateway_is_not_at_fault", "--phases", "fuzzing"]
    options += ["--max-examples", str(examples), "--seed", os.environ["SYNC_TEST_SEED"]]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.schema.attacks.hooks", "PYTHONPATH": str(PROJECT)}
    async with served(app) as url:
        arguments = ["schemathesis.cli", "run", f"{url}/graphql", *options]
        code, output = await run_tool(*arguments, folder=tmp_path, **hooks)
    assert code == 0, output[-3000:]
    generated = re.search(r"(\d+) generated", output)
    assert generated is not None
    assert int(generated[1]) >= at_least


async def recover_schema(
    url: str, clairvoyance: Path, folder: Path, words: set[str], *options: str
) -> list[dict[str, Any]]:
    """The types that the tool recovers from the errors of documents with these words."""
    (folder / "words.txt").write_text("\n".join(sorted(words)))
    arguments = ["-w", "words.txt", "-o", "recovered.json", "-m", "1", *options, f"{url}/graphql"]
    await run_tool("clairvoyance", *arguments, folder=folder, PYTHONPATH=str(clairvoyance))
    path = folder / "recovered.json"
    return json.loads(path.read_text())["data"]["__schema"]["types"] if path.exists() else []


def list_names(graph: GraphQLSchema) -> set[str]:
    """The names of the types, fields and arguments of a graph."""
    types = list(graph.type_map.values())
    fields = [field for type_ in types for field in getattr(type_, "fields", {}).items()]
    arguments = {name for _, field in fields for name in getattr(field, "args", ())}
    return {type_.name for type_ in types} | {name for name, _ in fields} | arguments


async def test_errors_show_a_stranger_nothing_and_a_viewer_its_view(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path, clairvoyance: Path
) -> None:
    _, key = await create_api_key(documents.database(documents.default), VIEWER, created_by="test")
    app = create_app(Settings(data=tmp_path), documents=documents, series=series)
    words = {"viewer", "service", "apiKey"}
    async with served(app) as url:
        assert await recover_schema(url, clairvoyance, tmp_path, ALL_WORDS) == []
        header = ["-H", f"Authorization: Bearer {key}"]
        types = await recover_schema(url, clairvoyance, tmp_path, words, *header)
    # The tool takes each of its words for a field that no error rejects: what counts is what it did not know.
    fields = {field["name"] for type_ in types for field in type_.get("fields") or ()}
    names = ({type_["name"] for type_ in types} | fields) - words
    assert "Viewer" in names
    assert names <= list_names(view_of(Grant("viewer", Role.VIEWER, frozenset()))) | {"dummy"}
