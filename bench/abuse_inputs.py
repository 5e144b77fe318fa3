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
_LONG_MACHINE = 'organizationId: "long", applicationId: "app0", machineId: "M000000"'
_LONG_FIELD = 'measurement: "long", field: "level"'
_LAST_DAY = 'range: {last: "P1D"}'
SAMPLES = 200_000  # of each of two fields of that machine, in the last day


def _read_long_series(arguments: str, selection: str) -> str:
    return f"""{{ device({_LONG_MACHINE}) {{
      series({_LONG_FIELD}, {_LAST_DAY} {arguments}) {{ {selection} }} }} }}"""


_WINDOWS = 'every: {duration: "PT2S"}, aggregate:'
SERIES = {
    "columns of all samples": _read_long_series("", "timesMs numbers"),
    "all samples as objects": _read_long_series("", "points { time value }"),
    "the peaks of all samples": _read_long_series("maxPoints: 1000", "times values"),
    "43,200 windows": _read_long_series(f"{_WINDOWS} MEAN", "timesMs numbers"),
    "43,200 windows of an integral": _read_long_series(f"{_WINDOWS} INTEGRAL", "timesMs numbers complete"),
    "43,200 windows of a counter": f"""{{ device({_LONG_MACHINE}) {{ counter({_LONG_FIELD}, {_LAST_DAY},
      every: {{duration: "PT2S"}}) {{ windows {{ increase }} }} }} }}""",
    "rows of all samples": f"""{{ seriesRows(machines: [{{{_LONG_MACHINE}}}], fields: [{{{_LONG_FIELD}}}],
      {_LAST_DAY}) {{ time value }} }}""",
    "100,000 states": f"""{{ device({_LONG_MACHINE}) {{ states({_LAST_DAY}) {{
      execution {{ value start end }} durations {{ value seconds }} }} }} }}""",
    "the performance of 200,000 samples": f"""{{ device({_LONG_MACHINE}) {{ performance(
      pieces: {{{_LONG_FIELD}}}, {_LAST_DAY}, every: {{duration: "PT1M"}}) {{ windows {{ pieces }} }} }} }}
    """,
    "100,000 states in windows": f"""{{ device({_LONG_MACHINE}) {{ states({_LAST_DAY},
      every: {{duration: "PT1M"}}) {{ windows {{ states {{ value share }} }} }} }} }}""",
    "50,000 alarms": f"""{{ device({_LONG_MACHINE}) {{ alarms({_LAST_DAY}, first: 1000) {{
      nodes {{ start end }} }} alarmSummary(by: EVENT, {_LAST_DAY}) {{ eventId }} }} }}""",
    "1,000 of 100,000 events": f"""{{ device({_LONG_MACHINE}) {{ events({_LAST_DAY},
      includeHeartbeats: true, first: 1000) {{ nodes {{ time value }} }} }} }}""",
}
MAX_DISTINCT = 100_000
_SELECT_TAGS = f"""query($tags: [String!]!) {{ device({_MACHINE}) {{ series(measurement: "process",
  field: "temperature", range: {{last: "PT1H"}}, where: [{{tag: "spindle", in: $tags}}]) {{ count }} }} }}"""


def select_tags(count: int) -> bytes:
    """A query that selects a series by so many values of a tag."""
    tags = [""] * count if count > MAX_DISTINCT else list(map(str, range(count)))  # as many as fit in a body
    return orjson.dumps({"query": _SELECT_TAGS, "variables": {"tags": tags}})


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
