"""A clock for tests that wait for nothing."""


class Clock:
    """Seconds that only the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
