"""GraphiQL: the page that browsers get at /graphql, and its files, all of them shipped with the package."""

from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BUILT = Path(__file__).parent / "graphiql"

# Nothing from other servers, no inline script. The editor sets styles from its script, which only
# 'unsafe-inline' allows; a style can load nothing, because every other source is this server too.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def render_page() -> Response:
    """The page of the explorer, under a policy that lets it connect to this server only."""
    html = (BUILT / "index.html").read_text(encoding="utf-8")
    headers = {**HEADERS, "Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Vary": "Accept"}
    return HTMLResponse(html, headers=headers)


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({**HEADERS, "Cache-Control": "public, max-age=3600"})
        return response


def mount_assets() -> Mount:
    """The files of the page, at /graphiql."""
    return Mount("/graphiql", _Assets(directory=BUILT, check_dir=False))
