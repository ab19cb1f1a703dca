"""The garbage collector kept away while graphs are built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Collect no garbage meanwhile; a context manager and a decorator.

    Nodes and values refer to each other and none of them is garbage, but the collector looks at all of them again
    and again while others come into being: half of the time of a load. Afterwards what is new counts as old, so that
    the next small collection does not begin with all of it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled and not gc.get_freeze_count():  # objects that the caller froze are to stay so
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()
