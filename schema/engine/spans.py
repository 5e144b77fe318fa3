"""Spans of operations, for traces."""

from opentelemetry.trace import Span, StatusCode

from schema.engine.results import OperationResult


def describe_operation(span: Span, result: OperationResult) -> None:
    """Name a span as the semantic conventions do, without the document, which may hold literals.

    https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/
    """
    if result.type is not None:
        name = f"{result.type} {result.operation}" if result.operation else result.type
        span.update_name(name)
        span.set_attribute("graphql.operation.type", result.type)
        span.set_attribute("graphql.operation.name", result.operation or "")
    if result.errors:
        code = result.errors[0].get("extensions", {}).get("code", "GRAPHQL")
        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR, code)
