"""Spans of operations, for traces."""

from opentelemetry.trace import Span, StatusCode

from schema.engine.results import OperationResult

MAX_NAME_LENGTH = 200  # a name may be as long as a document


def describe_operation(span: Span, result: OperationResult) -> None:
    """Name a span as the semantic conventions do, without the document, which may hold literals.

    https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/
    """
    if result.type is not None:
        operation = (result.operation or "")[:MAX_NAME_LENGTH]
        span.update_name(f"{result.type} {operation}" if operation else result.type)
        span.set_attribute("graphql.operation.type", result.type)
        span.set_attribute("graphql.operation.name", operation)
    if result.errors:
        code = result.errors[0].get("extensions", {}).get("code", "GRAPHQL")
        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR, code)
