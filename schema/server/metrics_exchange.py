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
    """Which of how many workers a process is, and the folder in which they meet."""

    index: int
    number: int
    folder: Path

    def socket_of(self, index: int) -> Path:
        return self.folder / f"{index}.sock"


class MetricsExchange:
    """Tells other workers the metrics of this one, as `generate` writes them, and asks them for theirs."""

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
        writer.write(self._generate())
        writer.close()
        await writer.wait_closed()

    async def gather(self) -> bytes:
        """The metrics of all workers. One that does not answer in time is left out, and logged."""
        others = (index for index in range(self._place.number) if index != self._place.index)
        texts = await asyncio.gather(*map(self._ask, others))
        return merge([self._generate(), *filter(None, texts)])

    async def _ask(self, index: int) -> bytes:
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                reader, writer = await asyncio.open_unix_connection(self._place.socket_of(index))
                try:
                    return await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            log.warning("the metrics of worker %d are missing: %s", index, error)
            return b""


def merge(texts: Iterable[bytes]) -> bytes:
    """The metrics of several processes in Prometheus's text format as those of one."""
    families: dict[str, Metric] = {}
    samples: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for text in texts:
        for family in text_string_to_metric_families(text.decode()):
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


def _find_combination(name: str) -> Callable[[Iterable[float]], float]:
    if name in LOWEST or name.endswith("_created"):
        return min
    return max if name in HIGHEST else sum


class _Merged(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
