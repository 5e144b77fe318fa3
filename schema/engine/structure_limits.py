"""The limits of a document's structure, for the settings too, which load without graphql-core."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StructureLimits:
    """The maximum of each measure. The settings describe them."""

    tokens: int = 5000
    depth: int = 20
    aliases: int = 30
    root_fields: int = 50
    introspections: int = 5
    directives: int = 100
    variables: int = 100
    input_values: int = 20_000
    operations: int = 50
    recursion: int = 2
    repetitions: int = 100
    selections: int = 5000
