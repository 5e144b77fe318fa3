"""Compiling an operation into a plan."""

from typing import Any

from graphql import GraphQLError, GraphQLList, GraphQLObjectType, GraphQLOutputType, is_abstract_type
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_fields
from graphql.execution.executor import Executor
from strawberry import Schema

from schema.engine.plans.columns import Column
from schema.engine.plans.completion import FallBack, split_nullable
from schema.engine.plans.run import Path, PlanRun
from schema.engine.plans.selections import BuildObjects, ObjectSelection, SelectedField, Selection

# Measured with tracemalloc: 1,400 to 3,300 bytes for each entry of a response object.
BYTES_PER_ENTRY = 3500


class Plan:
    """One compiled query. `lists` are the paths of the lists in it, without indexes."""

    def __init__(self, root: Selection, lists: list[str], entries: int) -> None:
        self._root = root
        self.lists = lists
        self.estimated_bytes = entries * BYTES_PER_ENTRY
        self.failure_logged = False  # an unexpected failure of a plan is logged only once

    async def run(self, executor: Executor[Any]) -> tuple[dict[str, Any], list[GraphQLError]]:
        """The data and the errors of the request that `executor` belongs to. Raises `FallBack`."""
        run = PlanRun(executor)
        [data] = await self._root.complete([executor.root_value], run)
        run.note_hints(data, executor.context_value.hints)
        return data, run.errors(data)


def compile_plan(schema: Schema, executor: Executor[Any]) -> Plan:
    """The plan of an operation. Raises `FallBack` if graphql-core has to execute it.

    `executor` is that of any request with the same operation and the same `@skip` and `@include` conditions.
    """
    root = executor.schema.query_type
    assert root is not None
    try:
        collected = collect_fields(
            executor.schema, executor.fragments, executor.variable_values, root, executor.operation
        )
        compiler = _Compiler(schema, executor)
        root_selection = compiler.compile_fields(root, collected.grouped_field_set, ())
        return Plan(root_selection, compiler.lists, compiler.entries)
    except GraphQLError as error:  # a condition is null, for example: graphql-core reports it
        raise FallBack from error


class _Compiler:
    def __init__(self, schema: Schema, executor: Executor[Any]) -> None:
        self._schema = schema
        self._executor = executor
        self.lists: list[str] = []
        self.entries = 0  # of response objects, for each of their types

    def compile_fields(self, type_: GraphQLObjectType, fields: GroupedFieldSet, path: Path) -> Selection:
        columns: list[Column] = []
        selected_fields: list[SelectedField] = []
        entries: list[str] = []  # the source of the entries of a response object
        self.entries += len(fields)
        for key, details in fields.items():
            name = details[0].node.name.value
            value = "None"  # a placeholder that `SelectedField.fill` replaces
            if name == "__typename":
                value = repr(type_.name)
            elif name.startswith("__"):
                raise FallBack
            # Lists may be long, and a field pauses between them.
            elif (column := Column.of(type_.fields[name])) and not column.holds_lists:
                value = f"c{len(columns)}"
                columns.append(column)
            else:
                selected_fields.append(self._compile_field(type_, name, key, details, (*path, key)))
            entries.append(f"{key!r}: {value}")
        return Selection(type_, columns, selected_fields, _generate_build(entries, len(columns)))

    def _compile_field(
        self, parent: GraphQLObjectType, name: str, key: str, details: FieldDetailsList, path: Path
    ) -> SelectedField:
        definition = parent.fields[name]
        field = SelectedField(self._schema, parent, definition, key, details)
        if field.holds_objects:
            _, type_ = split_nullable(definition.type)
            items_nullable = None
            if isinstance(type_, GraphQLList):
                self.lists.append(".".join(map(str, path)))
                items_nullable, type_ = split_nullable(type_.of_type)
            field.select(self._compile_objects(type_, details, path), items_nullable=items_nullable)
        return field

    def _compile_objects(
        self, type_: GraphQLOutputType, details: FieldDetailsList, path: Path
    ) -> ObjectSelection:
        if isinstance(type_, GraphQLObjectType):
            types = [type_]
        elif is_abstract_type(type_):
            types = list(self._executor.schema.get_possible_types(type_))
        else:
            raise FallBack  # a list of lists
        selections: dict[str, Selection] = {}
        for possible in types:
            collected = self._executor.collect_subfields(possible, details)
            selections[possible.name] = self.compile_fields(possible, collected.grouped_field_set, path)
        return ObjectSelection(selections, is_abstract=is_abstract_type(type_))


def _generate_build(entries: list[str], columns: int) -> BuildObjects:
    """A function that builds the response objects from the objects and the values of the columns.

    The query's aliases are the only part of its source that a client chooses; they are names, and quoted.
    """
    names = [f"c{index}" for index in range(columns)]
    source = f"lambda {', '.join(['objects', *names])}: [{{{', '.join(entries)}}} "
    # Records are not iterated over, which would make each of them.
    if names:
        source += f"for {', '.join(names)}, in zip({', '.join(names)})]"
    else:
        source += "for _ in range(len(objects))]"
    build: BuildObjects = eval(source)  # noqa: S307 - the names are quoted
    return build
