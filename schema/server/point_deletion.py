"""`POST /api/v2/delete` of the embedded time-series store, as InfluxDB 2 and its clients know it."""

import secrets
from datetime import UTC

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from resolvers.context import Audit
from resolvers.grants import Grant, Role
from resolvers.limits import LimitPolicy
from schema.server.authentication import AccessDenied, Authenticate
from schema.server.bodies import BadRequest, read_body
from schema.server.delete_predicates import parse_predicate
from schema.server.ingest_dialects import NAME, InfluxDB2
from schema.server.ingest_routing import PointRouter
from schema.server.limit_rejection import reject_over_limit
from schema.server.refusal_watch import ORGANIZATION, REQUEST_ID
from stores.contracts.deletions import Deletion
from stores.contracts.errors import Forbidden, GatewayError, Unavailable
from stores.contracts.series import WritableSeriesStore
from stores.contracts.times import WrittenTime

DELETE_PATH = "/api/v2/delete"
MAX_BYTES = 64 * 1024
OPERATION = "deletePoints"  # in the audit log
DIALECT = InfluxDB2()


class PointDeletionEndpoint:
    """Deletes the points of a range of time, with `start <= time <= stop`, that match a predicate.

    It takes an admin of the organization, whose deletions are in the audit log.
    """

    def __init__(
        self,
        store: WritableSeriesStore,
        router: PointRouter,
        authenticate: Authenticate,
        audit: Audit,
        limits: LimitPolicy,
    ) -> None:
        self._store, self._router, self._authenticate = store, router, authenticate
        self._audit, self._limits = audit, limits

    def route(self) -> Route:
        return Route(DELETE_PATH, self.answer, methods=["POST"])

    async def answer(self, request: Request) -> Response:
        """Answer 204, or an error as InfluxDB 2 writes it."""
        try:
            grant = await self._admit(request)
            request_id = secrets.token_hex(8)
            with reject_over_limit(self._limits, grant):
                await self._delete(request, grant, request_id)
        except BadRequest as error:
            return DIALECT.make_error(error.status, error.message, error.headers)
        except Unavailable as error:
            return DIALECT.make_error(503, error.message)
        return Response(status_code=204, headers={**NAME, REQUEST_ID: request_id})

    async def _admit(self, request: Request) -> Grant:
        request.scope[ORGANIZATION] = request.query_params.get("organization")
        try:
            grant = await self._authenticate(request)
            # Points name no application, so that a grant for some applications cannot be checked.
            if not grant.allows(Role.ADMIN) or grant.applications is not None:
                raise Forbidden("the credential does not permit deleting points: use one of an admin")
        except GatewayError as error:
            raise AccessDenied(error) from None
        return grant

    async def _delete(self, request: Request, grant: Grant, request_id: str) -> None:
        parameters = request.query_params
        deletion, predicate = _read_deletion(await read_body(request, MAX_BYTES))
        target = await self._router.find_target(
            grant, parameters.get("bucket", ""), parameters.get("organization")
        )
        journal = self._audit.start_journal(grant.subject, OPERATION, request_id)
        for organization_id, database in await self._router.list_databases(target):
            try:
                deleted = await self._store.delete(database, deletion)
            except BaseException:
                journal.report_unknown()
                raise
            if deleted:
                what = {"organizationId": organization_id, "bucket": database, "deletedValues": deleted}
                await journal.add_action(None, {**what, **predicate})


def _read_deletion(body: bytes) -> tuple[Deletion, dict[str, str]]:
    """What a body deletes, and its members. Raises `BadRequest`."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        members = None
    if not isinstance(members, dict) or not all(isinstance(value, str) for value in members.values()):
        raise BadRequest(400, "invalid request; error parsing request json: send start, stop and predicate")
    start, stop = (_read_time(name, members.get(name, "")) for name in ("start", "stop"))
    predicate = members.get("predicate", "")
    measurement, where = parse_predicate(predicate)
    described = {"start": members["start"], "stop": members["stop"], "predicate": predicate}
    return Deletion(start, stop + 1, measurement, where), described


def _read_time(name: str, text: str) -> int:
    try:
        time = WrittenTime.parse(text)
        nanoseconds = time.nanoseconds(UTC)
    except (ValueError, OverflowError):
        time = None
    if time is None or time.is_local or not -(2**63) < nanoseconds < 2**63 - 1:
        example = "2009-01-02T23:00:00Z"
        raise BadRequest(400, f"invalid RFC3339Nano for field {name}, with an offset, such as {example}")
    return nanoseconds
