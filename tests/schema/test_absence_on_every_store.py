"""What a machine has written and what not, and integers of any size, over every time-series store."""

from stores.contracts.samples import SECOND, Unsigned
from tests.schema.machines import SIX
from tests.schema.stored_gateway import StoredGateway, stored_gateway

__all__ = ["stored_gateway"]

RANGE = 'range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:01:00Z"}'
LATER = 'range: {from: "2026-03-02T06:02:00Z", to: "2026-03-02T06:03:00Z"}'


async def test_absent_fields_have_hints_and_empty_ranges_are_empty(stored_gateway: StoredGateway) -> None:
    await stored_gateway.write(
        "production", (SIX, "1", {"pieces": 5, "code": "a"}), (SIX + 1, "2", {"pieces": 7})
    )
    selection = "\n".join(
        f"""{name}: series(measurement: "{measurement}", field: "{field}", {LATER}) {{ count }}
            {name}Counter: counter(measurement: "{measurement}", field: "{field}", {LATER}) {{ increase }}
            {name}Latest: latest(measurement: "{measurement}", field: "{field}") {{ value }}"""
        for name, measurement, field in (
            ("right", "production", "pieces"),
            ("wrongField", "production", "piece"),
            ("wrongMeasurement", "Produktion", "pieces"),
        )
    )
    answer = await stored_gateway.send(f"{selection} states({LATER}) {{ start }}")
    assert answer["data"]["device"] == {
        "right": {"count": 0},
        "rightCounter": {"increase": 0},
        "rightLatest": {"value": 7},
        "wrongField": None,
        "wrongFieldCounter": None,
        "wrongFieldLatest": None,
        "wrongMeasurement": None,
        "wrongMeasurementCounter": None,
        "wrongMeasurementLatest": None,
        "states": None,
    }
    kinds = ("", "Counter", "Latest")
    assert {hint["path"][1]: hint["closest"] for hint in answer["extensions"]["hints"]} == {
        **{f"wrongField{kind}": ["pieces"] for kind in kinds},
        **{f"wrongMeasurement{kind}": ["production"] for kind in kinds},
        "states": [],
    }
    tags = f"""spindle: counter(measurement: "production", field: "pieces", {RANGE},
        where: [{{tag: "spindles", in: ["1"]}}]) {{ increase }}
      strings: series(measurement: "production", field: "code", {RANGE}, aggregate: COUNT,
        where: [{{tag: "spindle", in: ["2", "3"]}}]) {{ count }}"""
    answer = await stored_gateway.send(tags)
    assert answer["data"]["device"] == {"spindle": None, "strings": None}
    assert [hint["closest"] for hint in answer["extensions"]["hints"]] == [["spindle"], []]


async def test_the_catalogue_is_the_same_on_every_store(stored_gateway: StoredGateway) -> None:
    await stored_gateway.write(
        "production", (SIX, "1", {"pieces": 5, "code": "a"}), (SIX + SECOND, "2", {"pieces": 7})
    )
    await stored_gateway.write("state", (SIX, None, {"power": True, "load": 0.5}))
    fields = "measurements { name tags { name values } fields { name kind tags first last } }"
    answer = await stored_gateway.read(f"catalogue {{ {fields} }} part: catalogue({RANGE}) {{ {fields} }}")
    assert answer["part"] == answer["catalogue"]
    start, end = "2026-03-02T06:00:00.000Z", "2026-03-02T06:00:01.000Z"

    def field(name: str, kind: str, *tags: str, last: str = start) -> dict[str, object]:
        return {"name": name, "kind": kind, "tags": [*tags], "first": start, "last": last}

    assert answer["catalogue"]["measurements"] == [
        {
            "name": "production",
            "tags": [{"name": "spindle", "values": ["1", "2"]}],
            "fields": [
                field("code", "STRING", "spindle"),
                field("pieces", "INTEGER", "spindle", last=end),
            ],
        },
        {"name": "state", "tags": [], "fields": [field("load", "FLOAT"), field("power", "BOOLEAN")]},
    ]


async def test_integers_are_exact_on_every_store(stored_gateway: StoredGateway) -> None:
    signed, unsigned = [1, 2**53 + 1, -(2**63), 2**63 - 1], [0, 2**63, 2**64 - 1, 2**53]
    await stored_gateway.write(
        "n",
        *(
            (SIX + n * SECOND, None, {"i": i, "u": Unsigned(u)})
            for n, (i, u) in enumerate(zip(signed, unsigned, strict=True))
        ),
    )
    parts = (
        f"""{field}: series(measurement: "n", field: "{field}", {RANGE}) {{ integers numbers }}
            {field}Sum: series(measurement: "n", field: "{field}", {RANGE}, aggregate: SUM) {{ integers }}
            {field}Max: series(measurement: "n", field: "{field}", {RANGE}, aggregate: MAX) {{ integers }}"""
        for field in ("i", "u")
    )
    answer = await stored_gateway.read("\n".join(parts))
    assert answer["i"] == {"integers": list(map(str, signed)), "numbers": [1, None, -(2.0**63), None]}
    assert answer["u"] == {"integers": list(map(str, unsigned)), "numbers": [0, 2.0**63, None, 2.0**53]}
    for field, values in (("i", signed), ("u", unsigned)):
        assert answer[f"{field}Sum"]["integers"] == [str(sum(values))]
        assert answer[f"{field}Max"]["integers"] == [str(max(values))]
