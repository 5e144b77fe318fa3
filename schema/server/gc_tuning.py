"""The garbage collector of a serving process."""

import gc


def relieve() -> None:
    """Take from the collector what it need not look at; to be called once, when everything is loaded.

    What is there now stays. Large answers make tens of thousands of objects and no cycles: it looks at new
    ones only when a million have piled up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 100)
