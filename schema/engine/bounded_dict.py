"""A dict of few entries, for what every request looks up."""

from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedDict(dict[K, V]):
    """A dict of at most `maximum` entries: the one that was added first makes room for a new one.

    A cache that keeps what was used last does ten times the work to find an entry.
    """

    def __init__(self, maximum: int) -> None:
        super().__init__()
        self._maximum = maximum

    def __setitem__(self, key: K, value: V) -> None:
        if key not in self and len(self) >= self._maximum:
            del self[next(iter(self))]
        super().__setitem__(key, value)
