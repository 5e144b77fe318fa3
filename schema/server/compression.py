"""Compression of answers: which coding a client accepts, and how much of the processor it may take.

The answer to a mutation is never compressed: it may hold a secret, such as a new key, beside what the client
sent, and its length would then tell about the secret (https://www.breachattack.com/). No query shows one.
"""

import asyncio
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import brotli
from starlette.responses import Response

from stores.wrappers.shared_work import SharedCalls

MIN_BYTES = 1024  # of an answer that is compressed
MAX_BYTES_AT_ONCE = 64 * 1024  # what is compressed without a thread: a quarter of a millisecond
GZIP = zlib.MAX_WBITS | 16


def _compress_gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=GZIP)
    return compressor.compress(body) + compressor.flush()


def _compress_brotli(body: bytes) -> bytes:
    compressed: bytes = brotli.compress(body, quality=1, mode=brotli.MODE_TEXT)
    return compressed


# By content coding, the preferred one first. The lowest levels: the higher ones save a tenth of the bytes and
# take several times as long.
CODINGS: dict[str, Callable[[bytes], bytes]] = {"br": _compress_brotli, "gzip": _compress_gzip}


@lru_cache(256)
def choose_coding(accept_encoding: str) -> str | None:
    """The content coding of an answer to a request with this `Accept-Encoding`; None for none.

    https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.replace(" ", "").partition(";q=")
        try:
            weights[name] = float(parameter or 1)
        except ValueError:
            weights[name] = 0
    accepted = {coding: weights.get(coding, weights.get("*", 0)) for coding in CODINGS}
    best = max(accepted, key=lambda coding: accepted[coding])
    return best if accepted[best] > 0 else None


class Compressor:
    """Compresses the bodies of responses. Long ones are compressed by one thread, one at a time.

    A long answer that comes while another one is being compressed is sent as it is, unless they are equal:
    compressing takes at most one core, and nothing waits for it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compression")
        self._running: SharedCalls[bytes] = SharedCalls()

    async def compress(self, response: Response, coding: str | None) -> None:
        """Compress the body of a response in place, if it is worth it."""
        body = bytes(response.body)
        if coding is None or len(body) < MIN_BYTES:
            return
        if len(body) <= MAX_BYTES_AT_ONCE:
            compressed = CODINGS[coding](body)
        elif len(self._running) == 0 or (coding, body) in self._running:
            work = partial(self._compress_in_thread, coding, body)
            compressed = await self._running.run((coding, body), work)
        else:
            return
        response.body = compressed
        response.headers["Content-Encoding"] = coding
        response.headers["Content-Length"] = str(len(compressed))

    async def _compress_in_thread(self, coding: str, body: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, CODINGS[coding], body)
