"""Executing operations: each document is parsed and validated once, executed, and its errors formatted."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from inspect import isawaitable
from time import perf_counter
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
)
from graphql.execution.executor import Executor as CoreExecutor
from opentelemetry.trace import SpanKind
from strawberry import Schema

from resolvers.budgets import delay_rejection
from resolvers.context import Context
from schema.engine.compiled_operations import CompiledOperations, name_operation
from schema.engine.costs.estimator import CostEstimator
from schema.engine.documents import DocumentErrors, DocumentKey, Documents, OperationKey, ValidDocument
from schema.engine.errors import get_response_position, sort_errors
from schema.engine.introspection import PreparedAnswers, is_introspection
from schema.engine.json_values import has_more_values
from schema.engine.plans.compiler import Plan
from schema.engine.plans.completion import FallBack
from schema.engine.prepared_operations import discard_executor, prepare_operation
from schema.engine.results import Execution, OperationResult, make_result, reject, reject_mutation
from schema.engine.shared_queries import SharedQueries, Sharing
from schema.engine.spans import describe_operation
from schema.engine.structure_limits import StructureLimits
from stores.contracts.errors import LimitExceeded
from stores.contracts.request_record import trace

log = logging.getLogger(__name__)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024  # of the parsed documents that are cached, by estimate
VALUES_PER_OBJECT = 20  # what the conversion of an object costs, compared with that of a scalar
MAX_INTROSPECTION_BYTES = 8 * 1024 * 1024  # of answers that are cached


# With the context of the request, its result, and how many seconds it took.
RecordOperation = Callable[[Context, OperationResult, float], None]


class Executor:
    """Executes operations of one schema. `limits` are those of a document's structure.

    `estimator` estimates what an operation costs before it is executed; without it, only the meter of a
    request limits the cost.

    An operation that is requested again is compiled, unless `compiled` is false. graphql-core executes what a
    plan does not handle.
    """

    def __init__(
        self,
        schema: Schema,
        limits: StructureLimits,
        estimator: CostEstimator | None = None,
        *,
        compiled: bool = True,
        counts: Counter[str] | None = None,
        record: RecordOperation = lambda context, result, seconds: None,
    ) -> None:
        self._schema = schema
        self._record = record
        self._estimator = estimator
        self._compiled = compiled
        self._limits = limits
        self._documents = Documents(limits, MAX_DOCUMENT_BYTES)
        self._introspections = PreparedAnswers(MAX_INTROSPECTION_BYTES)
        self.counts = Counter[str]() if counts is None else counts  # how operations were executed, by event
        self._plans = CompiledOperations(schema, self.counts)
        self._shared = SharedQueries(self.counts)
        self.mutations = 0  # that have ended

    async def run(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Context,
        **options: Any,
    ) -> OperationResult:
        """The result of one operation of a document, which is recorded. The options are those of `_run`."""
        began = perf_counter()
        with trace("graphql", SpanKind.SERVER) as span:
            result = await self._run(query, variables, operation_name, context, **options)
            if span is not None:
                describe_operation(span, result)
        self._record(context, result, perf_counter() - began)
        return result

    async def _run(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Context,
        *,
        read_only: bool = False,
        view: GraphQLSchema | None = None,
        may_introspect: bool = True,
        sharing: Sharing | None = None,
    ) -> OperationResult:
        """The result of one operation of a document. With `read_only`, mutations are rejected.

        The document sees the fields of `view` (see `views.py`); None is the whole schema. With `sharing`, an
        equal query that is being executed is not executed again; the data is ready JSON then.
        """
        view = view or self._schema._schema
        document_key = DocumentKey(view, may_introspect, query)
        valid = self._documents.find_known(document_key)
        try:
            if valid is None:
                valid = await self._read_document(document_key, context)
            else:
                context.turn.go_to_foreground()
                for warning in valid.warnings:
                    context.limits.enforce(warning)
            operation = prepare_operation(valid, operation_name, self._schema.execution_context_class, view)
        except DocumentErrors as invalid:
            return reject(invalid.errors, context)
        try:
            self._check_values(variables, context)
        except LimitExceeded as error:
            return reject([_locate_nowhere(error)], context)
        if read_only and operation.definition.operation is not OperationType.QUERY:
            return reject_mutation(context)
        core = operation.make_executor(context, variables, hide_suggestions=not may_introspect)
        if isinstance(core, list):  # a variable is not of its type
            return reject(core, context)
        key = OperationKey.of(valid, core)
        try:
            self._accept_cost(key, core)
        except LimitExceeded as error:
            return reject([_locate_nowhere(error)], context)
        return make_result(core, await self._execute_within_budget(key, core, sharing))

    async def _read_document(self, key: DocumentKey, context: Context) -> ValidDocument:
        """A document that may be new. The request goes on in the background: who knows what it costs.

        Raises `DocumentErrors`, or `LimitExceeded` if the time of the request is up.
        """
        context.turn.go_to_background()
        await asyncio.sleep(0)
        with context.turn.watch():
            try:
                return await self._documents.read(key, context.limits, context.turn)
            except LimitExceeded as error:
                raise DocumentErrors([_locate_nowhere(error)]) from None

    def _check_values(self, variables: dict[str, Any] | None, context: Context) -> None:
        """Raise `LimitExceeded` if too many values of variables have to be converted."""
        maximum = self._limits.input_values
        if variables and has_more_values([*variables.values()], maximum, per_object=VALUES_PER_OBJECT):
            advice = "Send shorter lists, or several requests. (limits.input_values)"
            context.limits.enforce(LimitExceeded("input_values", maximum, advice=advice))

    def _accept_cost(self, key: OperationKey, core: CoreExecutor[Any]) -> None:
        """Estimate what the request costs. Raises `LimitExceeded`."""
        context: Context = core.context_value
        context.meter.stops = core.operation.operation is OperationType.QUERY  # a mutation finishes
        if self._estimator is not None:
            if context.meter.is_shown:
                context.meter.by_path = self._estimator.by_path(key, core, context)
            try:
                context.meter.accept(self._estimator.estimate(key, core, context))
            except LimitExceeded:
                discard_executor(core)
                raise
        if context.meter.is_expensive:
            context.turn.go_to_background()

    async def _execute_within_budget(
        self, key: OperationKey, core: CoreExecutor[Any], sharing: Sharing | None
    ) -> Execution:
        """Execute the operation. Raises `LimitExceeded` if the budget of the credential is used up."""
        context: Context = core.context_value
        if context.budget is not None and context.meter.estimate is not None:
            try:
                await context.budget.acquire(context.meter.estimate)
            except LimitExceeded:
                context.turn.go_to_background()
                discard_executor(core)
                await delay_rejection()
                raise
        if sharing is None:
            return await self._execute_within_limits(key, core)
        return await self._shared.run(key, core, sharing, self._execute_within_limits)

    async def _execute_within_limits(self, key: OperationKey, core: CoreExecutor[Any]) -> Execution:
        """Execute the operation. Raises `LimitExceeded` if it may be executed later."""
        context: Context = core.context_value
        meter, execution = context.meter, Execution(None)
        try:
            execution = await self._execute_in_turn(key, core)
        except LimitExceeded:
            if meter.error is None:
                raise
        if meter.error is None:
            return execution
        if meter.error.headers:  # it is not the request that is at fault: it may be sent again later
            raise meter.error
        # Most fields have failed, and the others are not the whole answer.
        return Execution(None, [_locate_nowhere(meter.error)])

    async def _execute_in_turn(self, key: OperationKey, core: CoreExecutor[Any]) -> Execution:
        """Execute the operation when it is its turn. A query ends with its turn, a mutation finishes."""
        context: Context = core.context_value
        is_query = core.operation.operation is OperationType.QUERY
        context.hints.clear()  # of an earlier operation of a batch
        await context.turn.begin(is_expensive=context.meter.is_expensive)
        try:
            with context.turn.watch() if is_query else nullcontext():
                execution = await self._execute(key, core)
                data, errors = execution.data, sort_errors(execution.errors, execution.data)
                if context.hints.has_absences:
                    await context.hints.describe(context, partial(get_response_position, data=data))
                return execution._replace(errors=errors, hints=context.hints.take())
        except BaseException:
            context.viewer.cancel_loads()
            raise
        finally:
            context.turn.end()
            self.mutations += not is_query
            context.viewer.discard_loaded()
            discard_executor(core)

    async def _execute(self, key: OperationKey, core: CoreExecutor[Any]) -> Execution:
        if is_introspection(core.operation):
            return Execution(*await self._introspections.answer(key.valid, core))
        plan = self._plans.find(key, core) if self._compiled else None
        if plan is not None:
            result = await self._run_plan(plan, core)
            if result is not None:
                return Execution(*result, compiled=plan.lists)
            core.context_value.points = core.context_value.meter.objects = 0
        running = core.execute_operation()
        executed = await running if isawaitable(running) else running
        assert isinstance(executed, ExecutionResult)  # nothing is deferred or streamed
        return Execution(executed.data, executed.errors or ())

    async def _run_plan(
        self, plan: Plan, core: CoreExecutor[Any]
    ) -> tuple[dict[str, Any], list[GraphQLError]] | None:
        """The data and the errors; None if graphql-core has to execute the operation."""
        try:
            result = await plan.run(core)
        except FallBack:
            self.counts["fell_back"] += 1
            return None
        except LimitExceeded:  # by the meter
            raise
        except Exception:  # a fault of the plan must not cost the request, which graphql-core can answer
            self.counts["plan_failed"] += 1
            if not plan.failure_logged:
                plan.failure_logged = True
                log.exception("a plan failed; graphql-core executes its operation: %s", name_operation(core))
            return None
        self.counts["answered_by_plan"] += 1
        return result

    def get_cache_sizes(self) -> dict[str, int]:
        """How many entries each cache has."""
        return {
            "documents": len(self._documents),
            "operations": len(self._plans),
            "introspections": len(self._introspections),
        }

    def get_cached_bytes(self) -> dict[str, int]:
        """The memory of each cache in bytes, by estimate."""
        return {
            "documents": self._documents.get_cached_bytes(),
            "operations": self._plans.get_cached_bytes(),
            "introspections": self._introspections.get_cached_bytes(),
        }

    def add_own(self, text: str) -> None:
        """Cache a document of the application itself; no limit applies to it. Raises `DocumentErrors`."""
        self._documents.add_own(text, self._schema._schema)


def _locate_nowhere(error: LimitExceeded) -> GraphQLError:
    """The error of a whole request."""
    return GraphQLError(error.message, original_error=error)
