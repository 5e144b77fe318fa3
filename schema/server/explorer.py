"""GraphiQL: the page that browsers get at /graphql, and its files, all of them shipped with the package."""

import hashlib
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from schema.server.compression import choose_coding

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


CODINGS = {"br": ".br", "gzip": ".gz"}  # the suffixes of the compressed files, by content coding


@cache
def read_version() -> str:
    """A digest of the files. It is part of their URLs, so that browsers may keep them for ever."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(BUILT.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def render_page() -> Response:
    """The page of the explorer, under a policy that lets it connect to this server only."""
    html = (BUILT / "index.html").read_text(encoding="utf-8")
    html = html.replace('"/graphiql/', f'"/graphiql/{read_version()}/')
    headers = {**HEADERS, "Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Vary": "Accept"}
    return HTMLResponse(html, headers=headers)


class _Assets(StaticFiles):
    """Files that never change, compressed when they were built where the client accepts that."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        coding = choose_coding(Headers(scope=scope).get("accept-encoding", ""))
        if coding is not None and self.lookup_path(path + CODINGS[coding])[1] is not None:
            response = await super().get_response(path + CODINGS[coding], scope)
            response.headers["Content-Encoding"] = coding
            response.headers["Content-Type"] = guess_type(path)[0] or "application/octet-stream"
        else:
            response = await super().get_response(path, scope)
        response.headers.update(
            {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        )
        return response


def mount_assets() -> Mount:
    """The files of the page, below a URL that has their version."""
    return Mount(f"/graphiql/{read_version()}", _Assets(directory=BUILT, check_dir=False))
