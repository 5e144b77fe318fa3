"""Moving from the old routes to the graph: headers on each response, and a page with every operation."""

from functools import cache
from html import escape

from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse, print_ast, visit
from graphql.language import FragmentSpreadNode, Visitor

from compat_rest.routes import TABLE
from compat_rest.routes.route import OldRoute

PAGE = "/api/migrate"
# The time of deprecation in seconds since 1970 (RFC 9745).
DEPRECATED = "@1795392000"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h2 { font: 600 1rem/1.4 ui-monospace, monospace; margin: 2.5rem 0 .5rem; overflow-wrap: anywhere; }
h2 span { color: #0b7285; }
pre { background: #f4f6f8; border-radius: .4rem; padding: .8rem 1rem; overflow-x: auto; }
a { color: #0b7285; }
"""


class _FragmentNames(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.names.add(node.name.value)


def print_operations(document_text: str) -> dict[str, str]:
    """Each operation of a document by its name, printed with the fragments that it uses."""
    document = parse(document_text)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    printed = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode) and definition.name:
            fragment_names = _FragmentNames()
            visit(definition, fragment_names)
            parts = [definition, *(fragments[name] for name in sorted(fragment_names.names))]
            printed[definition.name.value] = "\n\n".join(map(print_ast, parts))
    return printed


def make_deprecation_headers(route: OldRoute) -> dict[str, str]:
    """Headers that say that a route is deprecated and where its operation is shown."""
    link = f'<{PAGE}#{route.operation}>; rel="successor-version"'
    return {"Deprecation": DEPRECATED, "Link": link}


@cache
def render_page(document_text: str) -> str:
    """An HTML page with every operation and the old routes that it replaces, ready to paste into GraphiQL."""
    printed = print_operations(document_text)
    routes: dict[str, list[OldRoute]] = {}
    for route in TABLE:
        routes.setdefault(route.operation, []).append(route)
    sections = []
    for name, rows in routes.items():
        titles = "<br>".join(f"<span>{row.method}</span> {escape(row.path)}" for row in rows)
        sections.append(f'<h2 id="{name}">{titles}</h2><pre>{escape(printed[name])}</pre>')
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>From the old routes to the graph</title><style>{STYLE}</style></head>
<body><h1>From the old routes to the graph</h1>
<p>Each route of the original API is one of these operations. Paste it into
<a href="/graphql">GraphiQL</a>. The parameters of the path are its variables, or members of its
<code>input</code> beside the members of the body.</p>
{"".join(sections)}</body></html>
"""
