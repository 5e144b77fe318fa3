"""The pages for people who open the gateway in a browser: the home page, and one for unknown paths."""

from html import escape
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from schema.server.graphql_request import accepts_html

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 42rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .5rem; }
dt { font-weight: 600; margin-top: 1.2rem; }
dd { margin: 0; }
code { font-weight: 400; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
a { color: #0b7285; }
@media (prefers-color-scheme: dark) { a { color: #66d9e8; } }
"""
LINKS = (
    ("/graphql", "GraphQL", "The graph. A browser gets GraphiQL, where queries can be written and sent."),
    (
        "/graphql/schema.graphql",
        "Schema",
        "Every type and field with its description, in GraphQL's language.",
    ),
    ("/api/migrate", "Old routes", "Every route of the REST API beside the operation that replaces it."),
    ("/api/openapi.json", "OpenAPI", "The description of the REST API."),
    ("/health/ready", "Health", "Whether the stores answer."),
    ("/metrics", "Metrics", "Counters in the text format of Prometheus."),
)


def render_unknown_path(request: Request) -> Response | None:
    """The page of a path without a route: the home page at `/`, else a page with status 404.

    None for clients that do not ask for HTML.
    """
    if not accepts_html(request):
        return None
    return _render_home() if request.url.path == "/" else _render_not_found(request.url.path)


def render_denied(request: Request, message: str, status: int) -> Response:
    """Why a page is not shown: a page for browsers, which cannot send a credential, and JSON for others."""
    if not accepts_html(request):
        return JSONResponse({"error": message}, status)
    command = f"curl -H 'Authorization: Bearer KEY' {request.base_url}{request.url.path[1:]} > page.html"
    text = (
        f"<p>{escape(message)}.</p><p>A browser cannot send one for a page. Load it with a command:</p>"
        f"<p><code>{escape(command)}</code></p>"
        '<p><a href="/graphql">GraphiQL</a> asks for a key by itself.</p>'
    )
    return _render("This page asks for a key", text, status)


def _render_home() -> Response:
    items = "".join(
        f'<dt><a href="{path}">{name}</a> <code>{path}</code></dt><dd>{description}</dd>'
        for path, name, description in LINKS
    )
    text = "<p>A GraphQL gateway over the data of an industrial back office.</p>"
    release = f"<p><small>Version {escape(version('sync-gateway'))}</small></p>"
    return _render("Sync Gateway", f"{text}<dl>{items}</dl>{release}", 200)


def _render_not_found(path: str) -> Response:
    displayed_path = path if len(path) <= 200 else f"{path[:199]}…"
    text = f"<p>There is nothing at <code>{escape(displayed_path)}</code>.</p>"
    return _render("Page not found", f'{text}<p><a href="/">Home page</a></p>', 404)


def _render(title: str, body: str, status: int) -> Response:
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{STYLE}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""
    return HTMLResponse(page, status, headers=HEADERS)
