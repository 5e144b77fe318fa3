"""A client of the served application, which is its own test server."""

from typing import Any

import httpx
from starlette.applications import Starlette

from stores.contracts.document_store import DocumentStore

RESPONSE = "application/graphql-response+json"


class Client:
    """Sends operations to the application in this process; the calls are those of the last one."""

    def __init__(self, app: Starlette, documents: DocumentStore) -> None:
        # An unexpected error becomes a response, as it does behind a real server.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")
        self.app, self.documents = app, documents
        self.calls: list[str] = []
        self.series_calls: list[str] = []

    async def send(self, query: str, **variables: Any) -> dict[str, Any]:
        headers = {"Accept": RESPONSE, "X-Gateway-Trace": "1"}
        body = {"query": query, "variables": variables}
        response = await self.http.post("/graphql", json=body, headers=headers)
        answer: dict[str, Any] = response.json()
        trace = answer.get("extensions", {}).get("trace", {})  # for operators only
        self.calls, self.series_calls = trace.get("documentCalls", []), trace.get("seriesCalls", [])
        return answer

    async def run(self, query: str, **variables: Any) -> Any:
        """The data of an operation that must not fail."""
        answer = await self.send(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def fail(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one error of an operation that must fail: its message, its path and its extensions."""
        answer = await self.send(query, **variables)
        [error] = answer["errors"]
        return dict(error)

    async def code(self, query: str, **variables: Any) -> str:
        error = await self.fail(query, **variables)
        return str(error["extensions"]["code"])
