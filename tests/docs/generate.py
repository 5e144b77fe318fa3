"""The parts of the documentation that are made from the code; `python -m tests.docs.generate` writes them.

A part is what stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import asyncio
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import typer
from graphql import GraphQLObjectType
from starlette.applications import Starlette

from compat_rest.app import create_app
from compat_rest.commands.roles import list_required_roles
from compat_rest.main import app as command_line
from compat_rest.routes import TABLE
from schema.engine.errors import REST_STATUS
from schema.server.settings import Settings
from schema.server.settings_reference import list_settings
from schema.types.root import schema
from stores.contracts.errors import GatewayError
from stores.opening import open_documents, open_series
from tests.docs.limits import FIXED as FIXED_LIMITS
from tests.docs.limits import list_limits
from tests.docs.markdown import GENERATED, PROJECT, list_documents
from tests.docs.plant import SELECTIONS, fill
from tests.house.drawing import draw_imports


def render_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def settings() -> str:
    """Every setting with its type, default, variables and description."""
    rows = (
        (
            f"`{row.name}`",
            row.type,
            f"`{row.default}`",
            row.description + "".join(f" Also `{name}`." for name in row.variables[1:]),
        )
        for row in list_settings()
    )
    return render_table(("setting", "type", "default", "what it is"), rows)


def routes() -> str:
    """Every old route beside its operation."""
    rows = ((f"`{row.method}`", f"`{row.path}`", f"`{row.operation}`") for row in TABLE)
    return render_table(("method", "path", "operation"), rows)


def error_codes() -> str:
    """Every code with its status on the old routes and its meaning."""
    meanings = {
        code: (error.__doc__ or "").strip().partition("\n\n")[0]
        for code, error in GatewayError.by_code.items()
    }
    meanings["INTERNAL"] = "A fault of the gateway. `requestId` finds it in the log."
    rows = ((f"`{code}`", str(REST_STATUS[code]), meaning) for code, meaning in meanings.items())
    return render_table(("code", "status of old routes", "meaning"), rows)


def commands() -> str:
    """Every command with its arguments and options."""
    rows = []
    for name, command in _walk_commands(typer.main.get_command(command_line)):
        usage = [_usage(parameter) for parameter in command.params if parameter.name != "help"]
        rows.append((f"`{' '.join(['sync-gateway', name, *usage])}`", " ".join((command.help or "").split())))
    return render_table(("command", "what it does"), rows)


def _walk_commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it, with their whole names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _walk_commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


def roles() -> str:
    """The role that each operation and each old route requires."""
    rows = ((f"`{operation}`", f"`{role}`") for operation, role in list_required_roles())
    return render_table(("operation", "role"), rows)


def _usage(parameter: Any) -> str:
    """A parameter as a usage line shows it, such as `[--port PORT]` or `SOURCE_URL`."""
    value = parameter.name.upper()
    option = next((name for name in parameter.opts if name.startswith("--")), None)
    if option is None:
        return value if parameter.required else f"[{value}]"
    usage = option if parameter.is_flag else f"{option} {value}"
    return usage if parameter.required else f"[{usage}]"


def store_calls() -> str:
    """Store calls of nested selections, measured with 10 and with 100 devices."""
    return asyncio.run(_measure_store_calls())


async def _measure_store_calls() -> str:
    measured = {
        (applications, devices): await _count(applications, devices)
        for applications in (1, 3)
        for devices in (10, 100)
    }
    assert measured[1, 10] == measured[1, 100]
    assert measured[3, 10] == measured[3, 100]
    rows = ((name, str(measured[1, 10][name]), str(measured[3, 10][name])) for name in SELECTIONS)
    return render_table(("selection", "calls with 1 application", "with 3 applications"), rows)


async def _count(applications: int, devices: int) -> dict[str, int]:
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        documents, series = open_documents(None, data=Path(folder)), open_series(None, data=Path(folder))
        await fill(documents, applications, devices)
        app = create_app(Settings(data=Path(folder)), documents=documents, series=series)
        async with _client(app, **{"X-Gateway-Trace": "1"}) as client:
            for name, query in SELECTIONS.items():
                # Loads of several applications may miss the tick in which they would have been one call.
                counts[name] = min([await _count_calls(client, query) for _ in range(3)])
        await documents.close()
        await series.close()
    return counts


async def _count_calls(client: httpx.AsyncClient, query: str) -> int:
    answer = (await client.post("/graphql", json={"query": query})).json()
    assert "errors" not in answer, answer
    return len(answer["extensions"]["trace"]["documentCalls"])


def imports() -> str:
    """The drawing of the imports between folders and rooms."""
    return f"```mermaid\n{draw_imports()}\n```"


def metrics() -> str:
    """Every metric, as a new gateway shows it."""
    text = asyncio.run(_read_metrics())
    rows = re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE)
    return render_table(("metric", "what it counts"), ((f"`{name}`", meaning) for name, meaning in rows))


async def _read_metrics() -> str:
    with tempfile.TemporaryDirectory() as folder:
        documents, series = open_documents(None, data=Path(folder)), open_series(None, data=Path(folder))
        app = create_app(Settings(data=Path(folder)), documents=documents, series=series)
        async with _client(app) as client:
            response = await client.get("/metrics")
        await documents.close()
        await series.close()
    return response.text


def _client(app: Starlette, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


def client_caches() -> str:
    """What the caches of Apollo Client and urql must know: which types have no id."""
    types = schema._schema.type_map.values()
    without_id = sorted(
        type_.name
        for type_ in types
        if isinstance(type_, GraphQLObjectType)
        and "id" not in type_.fields
        and not type_.name.startswith("__")
        and type_.name not in ("Query", "Mutation", "Subscription")
    )
    names = textwrap.wrap(", ".join(f'"{name}"' for name in without_id), 98)
    lines = [
        "```js",
        "const typesWithoutId = [",
        *(f"  {line}" for line in names),
        "];",
        "",
        "// Apollo Client: new InMemoryCache({ typePolicies })",
        "export const typePolicies = Object.fromEntries(",
        "  typesWithoutId.map((name) => [name, { keyFields: false, merge: true }]),",
        ");",
        "",
        "// urql: cacheExchange({ keys }) of @urql/exchange-graphcache",
        "export const keys = Object.fromEntries(typesWithoutId.map((name) => [name, () => null]));",
        "```",
    ]
    return "\n".join(lines)


def decisions() -> str:
    """The titles of the decisions, as links."""
    paths = sorted((PROJECT / "docs" / "decisions").glob("*.md"))
    titles = {path: path.read_text().splitlines()[0].removeprefix("# ") for path in paths}
    return "\n".join(f"- [{title}](decisions/{path.name})" for path, title in titles.items())


def limits() -> str:
    """Every limit that is a setting, with its default and the reason for it."""
    rows = (
        (f"`{limit.name}`", f"`{limit.setting}`", f"`{setting.default}`", setting.description, limit.why)
        for limit, setting in list_limits()
    )
    return render_table(("limit", "setting", "default", "what it is", "why"), rows)


def fixed_limits() -> str:
    """Every limit that is not a setting."""
    return render_table(("limit", "maximum", "of"), ((f"`{name}`", *texts) for name, *texts in FIXED_LIMITS))


GENERATORS: dict[str, Callable[[], str]] = {
    "limits": limits,
    "fixed-limits": fixed_limits,
    "settings": settings,
    "routes": routes,
    "error-codes": error_codes,
    "commands": commands,
    "roles": roles,
    "store-calls": store_calls,
    "imports": imports,
    "decisions": decisions,
    "metrics": metrics,
    "client-caches": client_caches,
}


def regenerate(text: str) -> str:
    """A document with its generated parts made anew."""

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}{GENERATORS[match[2]]()}\n{match[4]}"

    return GENERATED.sub(replace, text)


if __name__ == "__main__":
    for path in list_documents():
        path.write_text(regenerate(path.read_text()))
