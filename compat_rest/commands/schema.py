"""`sync-gateway schema`: the schema in GraphQL's schema definition language."""

import sys


def schema() -> None:
    """Print the schema in GraphQL's schema definition language."""
    from schema.types.root import schema as executable_schema

    sys.stdout.write(executable_schema.as_str() + "\n")
