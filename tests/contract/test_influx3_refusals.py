"""What only InfluxDB 3 Core refuses: to read more than 72 hours at once."""

import json

import pytest

from loaders.readings import Readings
from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import Neighbours, Sample
from stores.contracts.series_queries import SeriesQuery
from tests.contract.answering import Answer, answering
from tests.contract.test_influx_answers import calls, choose_rows, open_store

CORE = b"""Query would exceed file limit of 432 parquet files. Please specify a smaller time range for your
query. You can increase the file limit with the `--query-file-limit` option in the serve command"""


async def test_what_influxdb_3_core_refuses_is_a_limit_and_neighbours_are_near() -> None:
    """It refuses to read more than 72 hours at once, and what has no lower bound."""
    rows = Answer(200, json.dumps([{"m": "M1", "t0": 5, "v0": 1}]).encode())

    def choose(request: str) -> Answer:
        is_near = "time >= " in request and "time < " in request
        return choose_rows(rows if is_near and not refuses_all else Answer(400, CORE), request)

    async with answering(choose) as server:
        store = open_store("influxdb3", server.url)
        series, refuses_all = store.database("machines"), False
        next_to = {"M1": {"count": {(): Neighbours(Sample(5, 1), Sample(5, 1))}}}
        assert await series.neighbours(SeriesQuery("state", ["count"], ["M1"], 10, 20)) == next_to
        refuses_all = True
        written = Readings(series, 10).written()
        assert await written.load(("M1", "state", "count")) == "integer"  # as of any machine
        assert await written.load(("M1", "state", "none")) is None
        for call in ("points", "changes", "neighbours", "windows", "areas", "counts", "extents"):
            for _ in range(6):  # this is no outage
                with pytest.raises(LimitExceeded, match=r"request a shorter `range`") as raised:
                    await calls(series)[call]()
                assert (raised.value.name, raised.value.maximum) == ("query_files", 432)
        await store.close()
