"""SQL over the tables by DataFusion, with InfluxDB 3's settings, parameter types and errors."""

import re
from typing import Any

import pyarrow as pa
from datafusion import SessionConfig, SessionContext, SQLOptions

from tests.servers.influxdb3.storage import MemoryStore

READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)


class ApiError(Exception):
    """An answer other than success: a status and a body."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def run_sql(store: MemoryStore, database: str, statement: str, parameters: dict[str, Any]) -> pa.Table:
    """The rows of a statement. Raises ApiError."""
    context = _create_session(store, database)
    values = {name: _to_scalar(value) for name, value in parameters.items()}
    # A placeholder without a value must fail while the statement is planned, even without any parameter.
    values = values or {"\x00": pa.scalar(None)}
    try:
        return context.sql(statement, options=READ_ONLY, param_values=values).to_arrow_table()
    except Exception as error:  # noqa: BLE001 - DataFusion raises nothing more specific
        raise _to_api_error(str(error)) from None


def _create_session(store: MemoryStore, database: str) -> SessionContext:
    tables = store.read(database)
    if tables is None:
        raise ApiError(404, f'{{"error":"query error: database not found: {database}"}}')
    config = (
        SessionConfig()
        .with_create_default_catalog_and_schema(True)
        .with_default_catalog_and_schema("public", "iox")
        .with_information_schema(True)
        .with_batch_size(8192)
        .with_target_partitions(1)
        .set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
    )
    context = SessionContext(config)
    for name, batches in tables.items():
        quoted = name.replace('"', '""')
        context.register_record_batches(f'"{quoted}"', [batches])
    return context


def _to_scalar(value: Any) -> pa.Scalar:
    """A parameter as InfluxDB 3 types it: an integer that is not negative is a UInt64."""
    match value:
        case None | bool():
            return pa.scalar(value)
        case int():
            return pa.scalar(value, pa.uint64() if value >= 0 else pa.int64())
        case float():
            return pa.scalar(value, pa.float64())
        case str():
            return pa.scalar(value, pa.utf8())
    kind = "arrays" if isinstance(value, list) else "objects"
    expected = "Expected null, boolean, number, or string"
    raise ApiError(400, f"serde json error: JSON {kind} are not supported as query parameters. {expected}")


def _to_api_error(message: str) -> ApiError:
    # What wraps the message differs between the steps of a query.
    message = re.sub(r"^DataFusion error: ", "", message)
    message = re.sub(r"^type_coercion\s*\ncaused by\s*\n", "type_coercion\ncaused by\n", message)
    if message.startswith(("Arrow error", "Execution error", "External error")):
        message = "query error: error while executing plan: " + message
    if "Error during planning" in message or message.startswith("SQL error"):
        return ApiError(400, message)
    return ApiError(405 if message.startswith("This feature is not implemented") else 500, message)


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON objects. A null is left out of its row, and a time is text, as InfluxDB 3 answers."""
    columns = [
        (name, _to_json(column)) for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return [
        {name: values[row] for name, values in columns if values[row] is not None}
        for row in range(table.num_rows)
    ]


def _to_json(column: pa.ChunkedArray) -> list[Any]:
    type_ = column.type
    if pa.types.is_timestamp(type_):
        zone = "Z" if type_.tz else ""
        times = column.cast(pa.timestamp("ns", type_.tz)).cast(pa.int64()).to_pylist()
        return [None if time is None else _format_time(time) + zone for time in times]
    values: list[Any] = column.to_pylist()
    plain = pa.types.is_dictionary(type_) or pa.types.is_string(type_) or pa.types.is_string_view(type_)
    if plain or pa.types.is_nested(type_) or pa.types.is_primitive(type_) or pa.types.is_large_string(type_):
        return values
    return [None if value is None else str(value) for value in values]


def _format_time(time_ns: int) -> str:
    """An ISO time with as many digits of the second as needed, in groups of three."""
    text = str(pa.scalar(time_ns, pa.timestamp("ns"))).replace(" ", "T")
    seconds, _, fraction = text.partition(".")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{seconds}.{fraction}" if fraction else seconds
