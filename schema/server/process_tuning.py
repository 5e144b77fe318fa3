"""The interpreter of a serving process: its garbage collector, and how its threads take turns."""

import gc
import sys

# Seconds after which a thread that computes leaves the interpreter's lock to one that waits. The event loop
# waits for it after each call to the system, and a reader of SQLite after each row: with Python's 5 ms, 50
# rows take up to a quarter of a second beside a thread that parses.
SWITCH_INTERVAL_S = 0.0002


def tune_interpreter() -> None:
    """Prepare the process for serving. Call it once, when everything is loaded."""
    freeze_startup_objects()
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def freeze_startup_objects() -> None:
    """Exclude objects created at start-up from garbage collection. Call it once, when everything is loaded.

    Large answers create tens of thousands of objects and no cycles, so the collector runs only when a million
    new objects exist.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 100)
