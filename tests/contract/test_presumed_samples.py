"""Of which windows a store is likely to read each sample: what the meter of a request presumes of them."""

from pathlib import Path
from typing import get_args

import pytest

from stores.contracts.areas import AreaRule
from stores.contracts.counters import CounterRule
from stores.contracts.series_queries import AggregateFunction, Aggregation, SeriesQuery, Windows
from stores.opening import open_series
from tests.contract.closed_panels import DAY, HOUR, START, ask

FUNCTIONS: tuple[AggregateFunction, ...] = get_args(AggregateFunction)
SAMPLES = 3 * 720 * 24  # of three machines in a day, one in five seconds
EMBEDDED, INFLUXDB3, INFLUXDB2 = None, "http://127.0.0.1:1", "influxdb2+http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("url", "step", "functions", "areas"),
    [
        (EMBEDDED, HOUR, {"quantile"}, False),
        (EMBEDDED, HOUR // 2, {"quantile", "first", "last", "stddev"}, True),
        (EMBEDDED, DAY, {"quantile"}, False),
        (INFLUXDB3, HOUR, {"quantile"}, True),
        (INFLUXDB2, HOUR, {"quantile", "min", "max", "stddev"}, True),
    ],
)
async def test_samples_are_presumed_where_a_store_has_no_rollups(
    tmp_path: Path, url: str | None, step: int, functions: set[str], areas: bool
) -> None:
    store = open_series(url, data=tmp_path, org="o")
    series, question = store.database("d"), ask(START, START + DAY, step=step)
    presumed = {
        function: series.presume_window_samples(*question, Aggregation(function, 0.5))
        for function in FUNCTIONS
    }
    assert presumed == {function: SAMPLES if function in functions else 0 for function in FUNCTIONS}
    assert series.presume_window_samples(*question, AreaRule()) == (SAMPLES if areas else 0)
    assert series.presume_window_samples(*question, CounterRule()) == SAMPLES
    await store.close()


async def test_one_window_of_any_length_is_made_of_rollups_in_the_embedded_store(tmp_path: Path) -> None:
    store = open_series(None, data=tmp_path)
    start, stop = START + 1, START + DAY - 1
    query, window = SeriesQuery("m", ["f"], ["M"], start, stop), Windows((start, stop), stop - start)
    for rule in (AreaRule(), Aggregation("stddev")):
        assert store.database("d").presume_window_samples(query, window, rule) == 0
    await store.close()
