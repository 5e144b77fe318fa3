"""The garbage collector of a serving process."""

import gc


def freeze_startup_objects() -> None:
    """Exclude objects created at start-up from garbage collection. Call it once, when everything is loaded.

    Large answers create tens of thousands of objects and no cycles, so the collector runs only when a million
    new objects exist.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 100)
