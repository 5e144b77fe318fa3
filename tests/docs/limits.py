"""Why each limit has its default: with the settings, the rows of docs/limits.md."""

from collections.abc import Iterator
from typing import NamedTuple

from schema.server.settings_reference import SettingRow, list_settings


class LimitRow(NamedTuple):
    """A limit: its name in errors and metrics, its setting, and why it has its default."""

    name: str
    setting: str
    why: str


# Settings of the section that say how limits are applied, and that are no limits.
NO_LIMITS = ("warn_only", "bytes_per_second", "store")
# By the name of the setting in the section `limits`, which is the name of the limit.
REASONS = {
    "depth": "Each level may multiply what is loaded. Standard introspection is the deepest that tools send.",
    "aliases": "An alias repeats the work of its field. A dashboard of 30 panels fits; lists take"
    " arguments instead, such as `series(machines:)`.",
    "root_fields": "As `aliases`, for operations that mix fields.",
    "introspections": "A complete introspection is 170 KB; tools request one.",
    "directives": "Each is checked against the schema. Generated queries have some dozens.",
    "variables": "Each is checked and converted. One input object replaces many.",
    "input_values": "Each is checked and converted, an object in about 30 microseconds. The longest useful"
    " lists have some hundred objects.",
    "operations": "Each is validated although one is executed. Files of generated clients have some dozens.",
    "recursion": "Going back and forth between devices and their application multiplies the answer at each"
    " step: 216 bytes of query once took 3 GB.",
    "repetitions": "Repeated fields are compared in pairs. Fragments of components repeat `id` some dozens of"
    " times.",
    "selections": "Fragments that spread fragments double with each step; this bounds what they expand to.",
    "batch": "Tools that send lists of requests are rare, and HTTP/1.1 connections are reused anyway.",
    "calls": "A call takes from 0.1 ms to 10 ms of a store; an ordinary dashboard needs some dozens.",
    "documents": "About 200 MB of memory while they are read, and some seconds.",
    "points": "About 200 MB of memory while they are read, and some seconds.",
    "objects": "About as many bytes as the longest answer may have.",
    "cost_per_minute": "A dashboard of 50 panels that is loaded every 10 seconds takes less than a tenth.",
    "tenant_cost_per_minute": "Two keys of an organization may use their whole budgets at the same time.",
    "concurrent_requests": "50 panels of a dashboard may load at once. It is less than `executing`, so that"
    " one key cannot hold up all others.",
    "address_requests_per_minute": "Old clients without a credential poll each second; some share a proxy.",
    "request_seconds": "Proxies and people give up after 30 to 60 seconds.",
    "executing": "More requests at once make each slower and need more memory, but are not done earlier.",
    "executing_expensive": "Cheap requests keep their times while expensive ones wait for each other.",
    "queued": "The queue is answered within about a second; whoever waits longer should retry.",
    "memory_bytes": "An expensive request may need some 100 MB; rejecting it is better than being killed.",
    "head_seconds": "Headers are one packet; only attackers and dead connections take longer.",
    "body_seconds": "Slow mobile networks reach 1 KB a second.",
    "idle_seconds": "Browsers and proxies open connections anew without an error.",
    "write_seconds": "As `body_seconds`, for answers.",
    "request_line_bytes": "Queries of GET requests fit; longer ones are sent by POST.",
    "header_bytes": "Tokens of 8 KB and the cookies of other applications fit.",
    "unsent_bytes": "Readers that do not read once held 1.2 GB.",
    "connections": "Each takes about 30 KB, and a file descriptor.",
    "connections_per_address": "One office behind one address fits, and one attacker does not take them all.",
}
# Limits whose settings are in other sections, and those that are fixed.
OTHERS = (
    LimitRow("tokens", "graphql.max_tokens", "Parsing takes 10 ms for 5000 tokens, and 800 bytes for each."),
    LimitRow("body_bytes", "graphql.max_body_bytes", "The longest useful mutations have some 100 KB."),
    LimitRow("json_depth", "graphql.max_json_depth", "Stored documents have fewer than ten levels."),
    LimitRow("answer_bytes", "graphql.max_answer_bytes", "Clients parse this in a second; paging is better."),
    LimitRow("range_days", "series.max_range_days", "A year and the month before it, for comparisons."),
    LimitRow("windows", "series.max_windows", "Twenty times what a chart can show."),
    LimitRow("points", "series.max_points", "An answer of about 20 MB."),
)
FIXED = (
    ("page_size", "1000", "`first` of lists"),
    ("series", "3000", "machines times fields of `series` and `seriesRows`"),
    ("series", "50,000", "series of machines whose names and kinds one query reads"),
    ("maxPoints", "the argument", "changes of strings and booleans, none of which is left out"),
    ("query_files", "432", "files that an InfluxDB 3 Core reads for a query, or its `--query-file-limit`"),
    ("body_bytes", "102,400", "bodies of the old routes"),
    ("body_bytes", "33,554,432", "bodies of writes of points, before and after decompression"),
    ("compression_ratio", "200", "of the content of such a body to its size"),
    ("line", "2,097,152", "characters of a line of points; only this line fails"),
    ("fields", "1000", "of a line of points; only this line fails"),
    (
        "writes",
        "64",
        "writes of points at a time; their bodies have at most 256 MiB together, and 8 are parsed",
    ),
    ("icon_bytes", "5,242,879", "an icon"),
    ("svg_bytes", "1,048,576", "an icon that is an SVG"),
)


def list_limits() -> Iterator[tuple[LimitRow, SettingRow]]:
    """Every limit with its setting. Raises `LookupError` for a setting of a limit without a reason."""
    settings = {row.name: row for row in list_settings()}
    for name, setting in settings.items():
        section, _, limit = name.partition(".")
        if section == "limits" and limit not in NO_LIMITS:
            if limit not in REASONS:
                raise LookupError(f"tests/docs/limits.py does not say why {name} has its default")
            yield LimitRow(limit, name, REASONS[limit]), setting
    for row in OTHERS:
        yield row, settings[row.setting]
