"""The metrics of several workers as those of one gateway: the scraped worker collects from the others."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)
MAX_WAIT_S = 2.0
# Numbers of workers add up, but for these.
LOWEST = ("sync_gateway_store_writable", "process_start_time_seconds")
HIGHEST = ("sync_gateway_store_suspended", "process_max_fds")


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Which of how many workers a process is, and the folder in which they meet.

    `earlier` are the totals of the processes that were in this place before, which have died.
    """

    index: int
    number: int
    folder: Path
    earlier: bytes = b""

    @classmethod
    def take(cls, index: int, number: int, folder: Path) -> "WorkerPlace":
        """The place of a process that begins."""
        return cls(index, number, folder, cls(index, number, folder).read_totals(index))

    def socket_of(self, index: int) -> Path:
        return self.folder / f"{index}.sock"

    def record(self, text: bytes) -> None:
        """Store the metrics that are sent now: counters must not fall when this process dies."""
        temporary = self.folder / f"{self.index}.new"
        try:
            temporary.write_bytes(text)
            temporary.replace(self._record_of(self.index))
        except OSError as error:
            log.warning("the metrics of this worker are not recorded: %s", error)

    def read_totals(self, index: int) -> bytes:
        """The counts of a worker when it last sent its metrics."""
        try:
            return merge([self._record_of(index).read_bytes()], _is_total)
        except FileNotFoundError:  # it has sent none
            return b""

    def _record_of(self, index: int) -> Path:
        return self.folder / f"{index}.metrics"


class MetricsExchange:
    """Sends other workers the metrics of this one, as `generate` writes them, and requests theirs."""

    def __init__(self, place: WorkerPlace, generate: Callable[[], bytes]) -> None:
        self._place, self._generate = place, generate

    async def serve(self) -> None:
        """Answer other workers until cancelled."""
        path = self._place.socket_of(self._place.index)
        path.unlink(missing_ok=True)  # of a worker that has died
        server = await asyncio.start_unix_server(self._answer, path)
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._make_text())
        writer.close()
        await writer.wait_closed()

    async def gather(self) -> bytes:
        """The metrics of all workers; of one that does not answer in time, its last totals."""
        others = (index for index in range(self._place.number) if index != self._place.index)
        texts = await asyncio.gather(*map(self._ask, others))
        return await asyncio.to_thread(merge, [self._make_text(), *texts])

    def _make_text(self) -> bytes:
        """The metrics of this place; what is in both parts adds up as that of several workers does."""
        text = self._generate() + self._place.earlier
        self._place.record(text)
        return text

    async def _ask(self, index: int) -> bytes:
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                reader, writer = await asyncio.open_unix_connection(self._place.socket_of(index))
                try:
                    text = await reader.read()
                finally:
                    writer.close()
            if text:
                return text
            reason = "it ended meanwhile"
        except (OSError, TimeoutError) as error:
            reason = str(error) or "it does not answer"
        log.warning("the metrics of worker %d are those that it sent last: %s", index, reason)
        return self._place.read_totals(index)


def merge(texts: Iterable[bytes], is_included: Callable[[Metric], bool] = lambda _: True) -> bytes:
    """The metrics of several processes in Prometheus's text format as those of one."""
    families: dict[str, Metric] = {}
    samples: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for text in texts:
        for family in filter(is_included, text_string_to_metric_families(text.decode())):
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                key = (family.name, sample.name, tuple(sample.labels.items()))
                combine = _find_combination(sample.name)
                samples[key] = combine((samples[key], sample.value)) if key in samples else sample.value
    for (family_name, name, labels), value in samples.items():
        families[family_name].add_sample(name, dict(labels), value)
    registry = CollectorRegistry()
    registry.register(_Merged(families.values()))
    return generate_latest(registry)


def _is_total(family: Metric) -> bool:
    """Whether a metric says what has happened so far, rather than what is so now."""
    return family.type in ("counter", "histogram") or family.name.endswith("_created")


def _find_combination(name: str) -> Callable[[Iterable[float]], float]:
    if name in LOWEST or name.endswith("_created"):
        return min
    return max if name in HIGHEST else sum


class _Merged(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
