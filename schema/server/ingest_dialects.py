"""How writers of points speak: the protocols of InfluxDB 1, 2 and 3, their parameters and their errors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schema.server.bodies import BadRequest
from schema.server.ingest_parsing import Findings, Problem, Writes
from schema.server.line_protocol import GUESSED

NAME = {"X-Influxdb-Build": "sync-gateway", "X-Influxdb-Version": version("sync-gateway")}
SECOND, MILLISECOND, MICROSECOND = 10**9, 10**6, 10**3
# InfluxDB 2's code for each status of an error
CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    413: "request too large",
    415: "invalid",
    422: "unprocessable entity",
    429: "too many requests",
    503: "unavailable",
}


class Dialect(ABC):
    """One protocol. `units` are those of times in nanoseconds, by the parameter `precision`, "" by default.

    `unknown_bucket` is the message about a bucket or database that does not exist.
    """

    units: ClassVar[Mapping[str, int]]
    unknown_bucket: ClassVar[str]

    @abstractmethod
    def read_bucket(self, request: Request) -> str:
        """The name of the bucket or database that is written to. Raises `BadRequest`."""

    def read_unit(self, request: Request) -> int:
        """The unit of the times. Raises `BadRequest`."""
        precision = request.query_params.get("precision", "")
        if precision not in self.units:
            choices = ", ".join(filter(None, self.units))
            raise BadRequest(400, f"invalid precision; valid precision units are {choices}")
        return self.units[precision]

    @abstractmethod
    def read_writes(self, request: Request) -> Writes:
        """What is written of a body that has problems. Raises `BadRequest`."""

    @abstractmethod
    def make_error(self, status: int, message: str, headers: Mapping[str, str] = NAME) -> Response:
        """The response to a request that fails as a whole."""

    @abstractmethod
    def report(self, findings: Findings, writes: Writes) -> Response:
        """The response to a body with problems."""

    def respond(self, findings: Findings, writes: Writes) -> Response:
        """The response to a body that was written as far as `writes` permits."""
        if findings:
            return self.report(findings, writes)
        return Response(status_code=204, headers=NAME)


class InfluxDB2(Dialect):
    """`/api/v2/write`, as InfluxDB 2 answers it."""

    units = MappingProxyType({"": 1, "ns": 1, "us": MICROSECOND, "ms": MILLISECOND, "s": SECOND})
    unknown_bucket = 'bucket "{}" not found'

    def read_bucket(self, request: Request) -> str:
        return request.query_params.get("bucket", "")

    def read_writes(self, request: Request) -> Writes:
        return Writes.IF_VALID

    def make_error(self, status: int, message: str, headers: Mapping[str, str] = NAME) -> Response:
        return JSONResponse({"code": CODES[status], "message": message}, status, headers={**NAME, **headers})

    def report(self, findings: Findings, writes: Writes) -> Response:
        if findings.invalid.count:
            return self.make_error(400, describe_invalid(findings))
        partial = f"{findings.rejected.first[0].message} dropped={findings.rejected.count}"
        return self.make_error(422, f"failure writing points to database: partial write: {partial}")


class InfluxDB1(Dialect):
    """`/write`, as InfluxDB 1 answers it. The parameters `rp` and `consistency` have no meaning here."""

    units = MappingProxyType({
        "": 1, "n": 1, "ns": 1, "u": MICROSECOND, "us": MICROSECOND, "ms": MILLISECOND, "s": SECOND,
        "m": 60 * SECOND, "h": 3600 * SECOND,
    })  # fmt: skip
    unknown_bucket = 'database not found: "{}"'

    def read_bucket(self, request: Request) -> str:
        return _read_database(request, "database is required")

    def read_writes(self, request: Request) -> Writes:
        return Writes.ALL_VALID

    def make_error(self, status: int, message: str, headers: Mapping[str, str] = NAME) -> Response:
        error = message.encode("ascii", "replace").decode().replace("\n", " ")
        return JSONResponse(
            {"error": message}, status, headers={**NAME, "X-Influxdb-Error": error, **headers}
        )

    def report(self, findings: Findings, writes: Writes) -> Response:
        reasons = [describe_invalid(findings)] if findings.invalid.count else []
        reasons += [problem.message for problem in findings.rejected.first[:1]]
        dropped = findings.invalid.count + findings.rejected.count
        return self.make_error(400, f"partial write: {'; '.join(reasons)} dropped={dropped}")


class InfluxDB3(Dialect):
    """`/api/v3/write_lp`, as InfluxDB 3 answers it. Points are stored before it, also with `no_sync`."""

    units = MappingProxyType({
        "": GUESSED, "auto": GUESSED, "nanosecond": 1, "microsecond": MICROSECOND,
        "millisecond": MILLISECOND, "second": SECOND, "ns": 1, "n": 1, "us": MICROSECOND, "u": MICROSECOND,
        "ms": MILLISECOND, "s": SECOND,
    })  # fmt: skip
    unknown_bucket = 'database "{}" not found'

    def read_bucket(self, request: Request) -> str:
        return _read_database(request, "missing query parameter 'db'")

    def read_writes(self, request: Request) -> Writes:
        accepts_partial = _read_flag(request, "accept_partial", default=True)
        _read_flag(request, "no_sync", default=False)
        return Writes.ALL_VALID if accepts_partial else Writes.ALL_OR_NOTHING

    def make_error(self, status: int, message: str, headers: Mapping[str, str] = NAME) -> Response:
        return JSONResponse({"error": message, "data": None}, status, headers={**NAME, **headers})

    def report(self, findings: Findings, writes: Writes) -> Response:
        problems = sorted(findings.invalid.first + findings.rejected.first)
        details: Any = list(map(_describe_problem, problems))
        error = "partial write of line protocol occurred"
        if writes is Writes.ALL_OR_NOTHING:
            error, details = "parsing failed for write_lp endpoint", details[0]
        return JSONResponse({"error": error, "data": details}, 400, headers=NAME)


def describe_invalid(findings: Findings) -> str:
    """The first lines that are not valid, and what is wrong with each."""
    return "\n".join(f"unable to parse '{text}': {message}" for _, text, message in findings.invalid.first)


def _read_database(request: Request, advice: str) -> str:
    database = request.query_params.get("db", "")
    if not database:
        raise BadRequest(400, advice)
    return database


def _describe_problem(problem: Problem) -> dict[str, Any]:
    return {
        "original_line": problem.text,
        "line_number": problem.number,
        "error_message": problem.message,
    }


def _read_flag(request: Request, name: str, *, default: bool) -> bool:
    text = request.query_params.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise BadRequest(400, f"{name} must be true or false")
    return text == "true"
