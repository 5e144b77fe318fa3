"""Lists whose objects are made when they are accessed: of a long list, a slice at a time."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class LazyList(Sequence[T], Generic[T]):
    """A list of objects of one class, `class_`; none of them is None or an exception."""

    __slots__ = ("class_",)
    class_: type[T]


class ObjectColumns(LazyList[T]):
    """A list of objects that is stored as columns: the arguments that each object is made of.

    All columns have the same length, and there is at least one.
    """

    __slots__ = ("_columns", "_make", "_order")

    def __init__(self, class_: type[T], *columns: Sequence[Any], order: Sequence[int] | None = None) -> None:
        self.class_, self._columns = class_, columns
        self._make: Callable[..., T] = class_
        self._order = order  # the index in the columns of each object, if it is another

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return list(map(self._make, *self._select(index)))
        position = index if self._order is None else self._order[index]
        return self._make(*(column[position] for column in self._columns))

    def __iter__(self) -> Iterator[T]:
        return map(self._make, *self._select(slice(None)))

    def _select(self, index: slice) -> list[Sequence[Any]]:
        """Return a slice of each column, in the order of the objects."""
        if self._order is None:
            return [column[index] for column in self._columns]
        positions = self._order[index]
        return [[column[position] for position in positions] for column in self._columns]

    @classmethod
    def join(cls, class_: type[T], parts: "Collection[ObjectColumns[T]]") -> "ObjectColumns[T]":
        """Return one list of the objects of all parts, of which there is at least one."""
        columns = zip(*(part._select(slice(None)) for part in parts), strict=True)
        return cls(class_, *(list(chain.from_iterable(column)) for column in columns))

    def order_by(self, index: int) -> "ObjectColumns[T]":
        """Return the objects in the order of a column. Equal ones keep the order of the columns."""
        keys = self._columns[index]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return ObjectColumns(self.class_, *self._columns, order=order)
