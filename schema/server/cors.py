"""Cross-origin requests of browsers as the original server answered them, for the origins that are listed."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send


class Cors(CORSMiddleware):
    """Answers every preflight with 204 and no body. The browser refuses the request of an unlisted origin."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or b"origin" in [name for name, _ in scope["headers"]]:
            await super().__call__(scope, receive, send)
            return

        async def send_varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_origin_to_vary(message["headers"])
            await send(message)

        await self.app(scope, receive, send_varied)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return Response(status_code=204, headers=headers)


def _add_origin_to_vary(headers: list[tuple[bytes, bytes]]) -> None:
    """Say, as for requests of pages, that the answer depends on the origin."""
    for index, (name, value) in enumerate(headers):
        if name == b"vary":
            headers[index] = name, value + b", Origin"
            return
    headers.append((b"vary", b"Origin"))
