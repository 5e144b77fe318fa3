"""What machines write, in the graph: measurements, fields, tags and classes of events."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from schema.engine.fields import argument, attribute, derived
from schema.engine.scalars import DateTime
from schema.types.series_arguments import TimeRange

FIRST = "The time of the first sample in the range."
LAST = "The time of the last sample in the range."
CatalogueRange = Annotated[TimeRange | None, argument("The range of time; all time if it is omitted.")]


@strawberry.enum(description="The kind of the values of a field.")
class FieldKind(Enum):
    BOOLEAN = strawberry.enum_value("boolean", description="True or false.")
    INTEGER = strawberry.enum_value("integer", description="Integers of 64 bits.")
    UNSIGNED = strawberry.enum_value("unsigned", description="Integers of 64 bits that are not negative.")
    FLOAT = strawberry.enum_value("float", description="Numbers with a fraction.")
    STRING = strawberry.enum_value("string", description="Strings.")


@strawberry.type(description="A tag of a measurement, beside that of the machine.")
class CatalogueTag:
    name: str = attribute("The name, as `where` and `by` take it.")
    values: list[str] = attribute("Its values in their order, at most 100.")
    value_count: int = attribute("How many values it has.")


@strawberry.type(description="A field of a measurement.")
class CatalogueField:
    name: str = attribute("The name.")
    tags: list[str] = attribute("The names of the tags that its series have.")
    first: DateTime = attribute(FIRST)
    last: DateTime = attribute(LAST)

    @derived("The kind of its values.", FieldKind)
    def kind(root: strawberry.Parent[Any]) -> Any:
        return FieldKind(root.kind)


@strawberry.type(description="A measurement that machines write.")
class CatalogueMeasurement:
    name: str = attribute("The name.")
    fields: list[CatalogueField] = attribute("Its fields, in the order of their names.")
    tags: list[CatalogueTag] = attribute("Its tags, in the order of their names.")
    first: DateTime = attribute(FIRST)
    last: DateTime = attribute(LAST)


@strawberry.type(description="A class of events that machines have really written.")
class CatalogueEventClass:
    name: str = attribute("The class, as `classes` of events takes it.")
    source: str = attribute("The measurement that its events are in.")
    first: DateTime = attribute("The time of the first event in the range.")
    last: DateTime = attribute("The time of the last event in the range.")


@strawberry.type(description="What machines have written in a range of time.")
class Catalogue:
    measurements: list[CatalogueMeasurement] = attribute("The measurements, in the order of their names.")
    event_classes: list[CatalogueEventClass] = attribute(
        "The classes of events, in the order of their names. For a value of a field, such as `execution`, the"
        " class is the name of the field."
    )
