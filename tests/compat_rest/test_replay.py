"""The recorded exchanges of the original, replayed in order from an empty store."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.replay import blank, capture, filled, read, send

EXAMPLES = read(Path(__file__).parent / "examples.jsonl")
NOT_CAPTURED = (68, 69)  # the recording shows the id of its own legacy device, which it does not capture


@pytest.mark.parametrize("backend", ["sqlite", "mongodb"])
async def test_every_recorded_exchange_is_answered_alike(
    client: httpx.AsyncClient, down_client: httpx.AsyncClient
) -> None:
    captured: dict[str, Any] = {}
    differences = []
    replayed = 0
    for example in EXAMPLES:
        down = "influx-down" in example.get("tags", ())
        replayed += 1
        response = await send(down_client if down else client, example["request"], captured)
        expected = example["response"]
        if (
            down and expected["status"] == 500
        ):  # a store that cannot be reached is told as such on every route
            expected["status"] = 503
        said = [response.status_code, response.headers.get("content-type")]
        wanted = [expected["status"], expected.get("content_type")]
        if "json" in expected:
            volatile = example.get("volatile", [])
            assert response.headers.get("content-type") == expected["content_type"], (
                example["n"],
                response.text,
            )
            answered = response.json()
            if example.get("contains"):
                ids = [each["id"] for each in expected["json"]]
                answered = [each for each in answered if each["id"] in ids]
            capture(example, answered, captured)
            said.append(blank(answered, volatile))
            wanted.append(blank(filled(expected["json"], captured), volatile))
            if example["n"] in NOT_CAPTURED:
                said[2].pop("_id"), wanted[2].pop("_id")
        elif "text" in expected:
            said.append(response.text)
            wanted.append(expected["text"])
        if said != wanted:
            differences.append((example["n"], said, wanted))
    assert differences == []
    assert replayed == 90
