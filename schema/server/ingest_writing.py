"""Points of a body are written batch by batch, as far as its problems permit."""

from collections.abc import Sequence

from schema.server.ingest_parsing import Batch, Findings, Writes
from schema.server.ingest_reading import BodyReader
from schema.server.ingest_routing import PointRouter, WriteTarget
from schema.server.line_protocol import ParsedLine
from stores.contracts.samples import KINDS, Catalogue, Kind, Point
from stores.contracts.series import WritableSeriesStore


class BatchWriter:
    """Writes the points of one request to the databases that the `router` finds."""

    def __init__(self, store: WritableSeriesStore, router: PointRouter, target: WriteTarget) -> None:
        self._store, self._router, self._target = store, router, target
        self._catalogues: dict[str, Catalogue] = {}
        self._kinds: dict[tuple[str, str, str], Kind] = {}  # of fields, by database, measurement and name

    async def write_body(self, reader: BodyReader, writes: Writes) -> Findings:
        """Write what may be written. Return the lines that are not written."""
        if writes is Writes.ALL_VALID:
            findings = Findings()
            async for batch in reader.read(reader.body.batches()):
                findings.collect(batch)
                await self._write(batch, findings)
            return findings
        findings, list_batches = await reader.run(reader.body.check)
        if writes is Writes.ALL_OR_NOTHING and not findings:
            async for batch in reader.read(list_batches()):
                await self._check_kinds(batch, findings)
        if not findings.forbid(writes):
            async for batch in reader.read(list_batches()):
                await self._write(batch, findings)
        return findings

    async def _write(self, batch: Batch, findings: Findings) -> None:
        """Write points, those of each database in one transaction."""
        lines, by_database = await self._split(batch)
        for database, points in by_database.items():
            reasons = await self._store.write(database, points)
            for point, reason in zip(points, reasons, strict=True):
                if reason is not None:
                    findings.rejected.add(lines[id(point)], reason)

    async def _check_kinds(self, batch: Batch, findings: Findings) -> None:
        """Find the points that change the kind of a field, before anything is written."""
        lines, by_database = await self._split(batch)
        for database, points in by_database.items():
            if database not in self._catalogues:
                self._catalogues[database] = await self._store.database(database).catalogue()
            stored = self._catalogues[database]
            for point in points:
                fields = stored.get(point.measurement, {})
                for name, value in point.fields.items():
                    kind = KINDS[type(value)]
                    key = (database, point.measurement, name)
                    known = self._kinds.setdefault(key, fields.get(name, kind))
                    if kind != known:
                        reason = f"field type conflict: {name} is type {kind}, already exists as type {known}"
                        findings.rejected.add(lines[id(point)], reason)

    async def _split(self, batch: Batch) -> tuple[dict[int, ParsedLine], dict[str, Sequence[Point]]]:
        """The lines by the ids of their points, and the points by database."""
        lines = {id(line.point): line for line in batch if line.point is not None}
        points = [line.point for line in batch if line.point is not None]
        return lines, await self._router.split(points, self._target)
