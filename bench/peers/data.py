"""What the Python peers read: MongoDB by PyMongo, InfluxDB 3 by HTTP."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
from pymongo import AsyncMongoClient

DATABASE = "bench"


class Data:
    def __init__(self, mongodb_url: str, influx_url: str) -> None:
        self.database = AsyncMongoClient(mongodb_url)[DATABASE]
        # The server closes connections that are idle for five seconds: these are not used so long.
        limits = httpx.Limits(keepalive_expiry=2)
        self.http = httpx.AsyncClient(base_url=influx_url, trust_env=False, limits=limits)

    async def applications(self) -> list[dict[str, Any]]:
        entry = await self.database["config"].find_one({"key": "applications"})
        settings = entry["value"]["applicationSettings"] if entry else {}
        return [{"application_id": key, "name": value["name"]} for key, value in settings.items()]

    async def count(self, application_id: str) -> int:
        return await self.database[f"{application_id}_devices"].estimated_document_count()

    async def devices(self, application_id: str, first: int) -> list[dict[str, Any]]:
        cursor = self.database[f"{application_id}_devices"].find().sort("_id").limit(first)
        return [{**device, "application_id": application_id} for device in await cursor.to_list()]

    async def connectors(self, application_id: str) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = {}
        for name in ("connectors", f"{application_id}_connectors"):
            known |= {
                connector["name"]: connector for connector in await self.database[name].find().to_list()
            }
        return known

    async def statuses(self, machines: Sequence[str]) -> list[dict[str, Any] | None]:
        """By machine the newest power and execution, all in one query."""
        names = list(dict.fromkeys(machines))
        params = {f"m{n}": name for n, name in enumerate(names)}
        sql = (
            "SELECT machine_id, last_value(power ORDER BY time) AS power,"
            " last_value(execution ORDER BY time) AS execution FROM state"
            f" WHERE machine_id IN ({', '.join(f'${name}' for name in params)}) GROUP BY machine_id"
        )
        body = {"db": DATABASE, "q": sql, "format": "json", "params": params}
        rows = json.loads((await self.http.post("/api/v3/query_sql", json=body)).content)
        rows_by_machine = {row["machine_id"]: row for row in rows}
        return [rows_by_machine.get(name) for name in machines]


def time_text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds") + "Z"
