"""What hostile clients send, about the demo plant and an organization `big` of many devices."""

import gzip

import orjson

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
# More than limits.input_values, and as many as these.
RAW_SERIES = f"""{{ device({_MACHINE}) {{ states(range: {{last: "P30D"}}) {{ power {{ start }} }}
  series(measurement: "process", field: "temperature", range: {{last: "P30D"}}) {{ timesMs numbers }} }} }}"""
_SELECT_TAGS = f"""query($tags: [String!]!) {{ device({_MACHINE}) {{ series(measurement: "process",
  field: "temperature", range: {{last: "PT1H"}}, where: [{{tag: "spindle", in: $tags}}]) {{ count }} }} }}"""


def select_tags(count: int) -> bytes:
    """A query that selects a series by so many values of a tag."""
    return orjson.dumps({"query": _SELECT_TAGS, "variables": {"tags": [""] * count}})


MANY_LISTS = b'{"query": "{ __typename }", "variables": {"a": [%s]}}' % b",".join([b"[]"] * 340_000)
_SET_EVENT_CLASSES = """mutation($classes: [EventClassInput!]!) { setEventClasses(input: {
  organizationId: "big", applicationId: "app0", eventClasses: $classes}) { eventClasses { id class } } }"""


def make_event_classes(count: int) -> bytes:
    """A mutation that replaces the event classes of an application."""
    classes = [{"eventClassId": f"E{n}", "class": "A", "topic": "t", "type": "INT"} for n in range(count)]
    return orjson.dumps({"query": _SET_EVENT_CLASSES, "variables": {"classes": classes}})


# Bodies of points: a long line, many fields, many new series, and many ordinary points.
LONG_LINE = b'm f="' + b"x" * 30_000_000 + b'"'
MANY_FIELDS = b"m " + b",".join(b"f%d=1" % number for number in range(200_000))
NEW_SERIES = b"\n".join(
    b"m%d,machine_id=M1 " % measurement + b",".join(b"f%d=1" % number for number in range(1000))
    for measurement in range(40)
)
MANY_POINTS = b"\n".join(
    b"state,machine_id=M%d power=true,temperature=%d.5 %d" % (number % 50, number, 1_700_000_000_000 + number)
    for number in range(400_000)
)
GZIP_BODY = gzip.compress(b'm f="' + b"\n" * 3_000_000)
