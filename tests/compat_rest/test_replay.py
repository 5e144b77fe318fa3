"""The recorded exchanges of the original, replayed in order from an empty store."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.replay import capture, fill_in, read_recording, replace_volatile, send

EXAMPLES = read_recording(Path(__file__).parent / "examples.jsonl")
NOT_CAPTURED = (68, 69)  # the recording shows the id of its own legacy device, which it does not capture


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
async def test_every_recorded_exchange_is_answered_alike(
    client: httpx.AsyncClient, down_client: httpx.AsyncClient
) -> None:
    captured: dict[str, Any] = {}
    differences = []
    for example in EXAMPLES:
        series_down = "influx-down" in example.get("tags", ())
        response = await send(down_client if series_down else client, example["request"], captured)
        expected = example["response"]
        if series_down and expected["status"] == 500:  # an unavailable store is 503 on every route
            expected["status"] = 503
        actual = [response.status_code, response.headers.get("content-type")]
        expected_values = [expected["status"], expected.get("content_type")]
        if "json" in expected:
            volatile = example.get("volatile", [])
            assert actual[1] == expected["content_type"], (example["n"], response.text)
            body = response.json()
            if example.get("contains"):
                ids = [item["id"] for item in expected["json"]]
                body = [item for item in body if item["id"] in ids]
            capture(example, body, captured)
            actual.append(replace_volatile(body, volatile))
            expected_values.append(replace_volatile(fill_in(expected["json"], captured), volatile))
            if example["n"] in NOT_CAPTURED:
                actual[2].pop("_id")
                expected_values[2].pop("_id")
        elif "text" in expected:
            actual.append(response.text)
            expected_values.append(expected["text"])
        if actual != expected_values:
            differences.append((example["n"], actual, expected_values))
    assert differences == []
    assert len(EXAMPLES) == 90
