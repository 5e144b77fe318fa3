"""What is observed of the request that runs: its id, and what its calls to the stores take.

The record is in a context variable, so that a store knows for which request it is called.
"""

import contextvars
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry.context import Context, attach, get_current
from opentelemetry.propagate import inject
from opentelemetry.trace import Span, SpanKind, Tracer, get_current_span
from opentelemetry.util.types import AttributeValue


@dataclass(slots=True)
class StoreUse:
    """The calls of a request to a store, and the seconds that they took together; some ran concurrently."""

    calls: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class RequestRecord:
    """One request. Without a `tracer` it is not traced. `parent` is the client's place in a trace."""

    request_id: str
    tracer: Tracer | None = None
    parent: Context | None = None
    stores: dict[str, StoreUse] = field(default_factory=dict)  # by name

    def add_call(self, store: str, seconds: float) -> None:
        use = self.stores.get(store)
        if use is None:
            use = self.stores[store] = StoreUse()
        use.calls += 1
        use.seconds += seconds


CURRENT_REQUEST: ContextVar[RequestRecord | None] = ContextVar("current_request", default=None)


def get_request_id() -> str | None:
    """The id of the request that runs, None outside of requests."""
    record = CURRENT_REQUEST.get()
    return None if record is None else record.request_id


UNTRACED = nullcontext[None]()


def trace(
    name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: AttributeValue
) -> AbstractContextManager[Span | None]:
    """A span of the request that runs, None if it is not traced. Dots are `__` in the names of attributes.

    An exception marks it as failed; its message is left out, because it may quote what a client sent.
    """
    record = CURRENT_REQUEST.get()
    if record is None or record.tracer is None:
        return UNTRACED
    return _trace(record.tracer, record.parent, name, kind, attributes)


@contextmanager
def _trace(
    tracer: Tracer,
    parent: Context | None,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, AttributeValue],
) -> Iterator[Span]:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    if get_current_span().get_span_context().is_valid:
        parent = None  # which is the span around this one
    with tracer.start_as_current_span(
        name, parent, kind, named, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            raise


def make_trace_headers() -> dict[str, str]:
    """The headers that tell a server its place in the trace of the request, none if that is not traced."""
    headers: dict[str, str] = {}
    record = CURRENT_REQUEST.get()
    if record is not None and record.tracer is not None:
        inject(headers)
    return headers


def make_shared_context() -> contextvars.Context:
    """The context of work that several requests wait for: it is observed as part of the one that runs."""
    shared = contextvars.Context()
    shared.run(CURRENT_REQUEST.set, CURRENT_REQUEST.get())
    shared.run(attach, get_current())
    return shared
