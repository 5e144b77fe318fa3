"""`sync-gateway roles`: which role each operation of the graph and each old route requires."""

from compat_rest.commands.terminal import print_table


def roles() -> None:
    """Print which role each query, mutation and old route requires."""
    from rich.table import Table

    table = Table()
    table.add_column("operation", no_wrap=True)
    table.add_column("role", no_wrap=True)
    for operation, role in list_required_roles():
        table.add_row(operation, role)
    print_table(table)


def list_required_roles() -> list[tuple[str, str]]:
    """Each field of the root types and each old route, with the role that it requires."""
    from compat_rest.handler import OPERATIONS
    from compat_rest.routes import TABLE
    from schema.types.roles import REQUIRED_ROLES, find_roles_of_operations

    fields = [
        (name, role) for name, role in REQUIRED_ROLES.items() if name.startswith(("Query.", "Mutation."))
    ]
    of_operation = find_roles_of_operations(OPERATIONS)
    rows = [(name, role.name.lower()) for name, role in fields]
    for route in TABLE:
        role = "none" if route.is_public else of_operation[route.operation].name.lower()
        rows.append((f"{route.method} {route.path}", role))
    return rows
