"""What hostile clients send, about the demo plant and an organization `big` of many devices."""

import gzip

_DEVICE = "machineId name updatedAt connectors { name driver } eventBindings { label }"


def _nest(levels: int) -> str:
    selection = "devices(first: 1000) { nodes { machineId } }"
    for _ in range(levels):
        selection = f"devices(first: 1000) {{ nodes {{ machineId application {{ {selection} }} }} }}"
    return f'{{ organization(organizationId: "ferro-works") {{ applications {{ {selection} }} }} }}'


def _double(levels: int) -> str:
    fragments = ["fragment F0 on Organization { name }"]
    for level in range(1, levels + 1):
        spread = f"applications {{ organization {{ ...F{level - 1} }} }}"
        fragments.append(f"fragment F{level} on Organization {{ a: {spread} b: {spread} }}")
    query = f'{{ organization(organizationId: "ferro-works") {{ ...F{levels} }} }}'
    return "\n".join([query, *fragments])


def _list_devices(selection: str) -> str:
    devices = f"devices(first: 1000) {{ nodes {{ {_DEVICE} {selection} }} }}"
    return f'{{ organization(organizationId: "big") {{ applications {{ {devices} }} }} }}'


DOCUMENTS = {
    "nesting": _nest(4),
    "fragments that double": _double(30),
    "5,000 repeated fields": "{ " + "organizations { nodes { name } } " * 700 + "}",
    "2,400 directives": "{ organizations " + "@unknown " * 2_400 + "{ nodes { name } } }",
    "600 operations": "".join(f"query Q{number} {{ __typename }}" for number in range(600)),
    "400 inline fragments": "{ organizations { nodes { " + "... { name } " * 400 + "} } }",
    "40 introspections": "{ "
    + " ".join(f"a{n}: __schema {{ types {{ fields {{ type {{ name }} }} }} }}" for n in range(40))
    + "}",
    "nothing but brackets": "{" * 200_000,
}
BIG_ANSWER = _list_devices("document")
HEAVY = _list_devices("application { name organization { name } }")
_MACHINE = 'organizationId: "ferro-works", applicationId: "cnc-monitoring", machineId: "LATHE-01"'
LONG_SERIES = f"""{{ device({_MACHINE}) {{ series(measurement: "process", field: "temperature", fill: NULL,
  range: {{last: "P30D"}}, aggregate: MEAN, every: {{duration: "PT1M"}}) {{ times numbers coverage }} }} }}"""
MANY_VALUES = b'{"query": "query($a: [String!]) { __typename }", "variables": {"a": [%s]}}' % (
    b",".join([b'""'] * 300_000)
)
GZIP_BODY = gzip.compress(b'm f="' + b"\n" * 3_000_000)
