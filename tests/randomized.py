"""Hypothesis in two sizes: a few examples, always the same, in the suite and many new ones in long runs."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

T = TypeVar("T", bound=Callable[..., Any])

# How many times as many examples a long run tries; `make test-long` sets it, and prints the seed.
FACTOR = int(os.environ.get("SYNC_TEST_FACTOR", "1"))


def example_settings(examples: int, **options: Any) -> settings:
    """Settings for `examples` in the suite, and FACTOR times as many in a long run."""
    return settings(
        max_examples=examples * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        **options,
    )


def randomized(examples: int) -> Callable[[T], T]:
    """Decorate a Hypothesis test that runs in the suite and, with more examples, in `make test-long`."""

    def decorate(test: T) -> T:
        decorated: T = pytest.mark.randomized(example_settings(examples)(test))
        return decorated

    return decorate
