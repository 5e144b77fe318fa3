"""Cross-origin requests as the original answered them, for the origins that are listed."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response


class Cors(CORSMiddleware):
    """Every preflight is 204 and empty; what an unlisted origin lacks in it makes its browser refuse."""

    def preflight_response(self, request_headers: Headers) -> Response:
        checked = super().preflight_response(request_headers)
        kept = {k: v for k, v in checked.headers.items() if not k.startswith("content-")}
        return Response(status_code=204, headers=kept)
