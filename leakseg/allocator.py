"""Freed memory kept by the process for its next array: what the system takes back must be cleared and mapped anew.

A case makes and drops thousands of arrays of a few megabytes; touching fresh pages for each was a quarter of its time.
"""

from __future__ import annotations

import ctypes
import gc
import math
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
_MMAP_THRESHOLD, _TOP_PAD, _TRIM_THRESHOLD = -3, -2, -1
"""Names of glibc's ``mallopt``."""
_MOST_KEPT_BYTES = 96 << 20
"""What lies free at the end of the heap and does not go back to the system: more does, and so much stays."""
_HUGE_FROM_BYTES = 8 << 20
"""Smaller masks are not worth a mapping of their own."""
_LARGE_BYTES = 32 << 20
"""Larger arrays come from the system and go back to it at once (the most that glibc takes)."""


def untouched(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask without any voxel, of which few will be set: what is only read of it takes no memory and hardly time."""
    return in_huge_pages(shape, np.bool_)


def in_huge_pages(shape: tuple[int, ...], kind: type[T]) -> NDArray[T]:
    """Zeros that are few to be written, or all of them.

    Where the system has huge pages it maps one page for every 2 MB that are touched, else one for every 4 KB.
    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size < _HUGE_FROM_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(shape, kind)
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError from error
    with suppress(OSError):  # a system built without them
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, kind).reshape(shape)


@cache
def keep_freed_memory() -> bool:
    """Set glibc's allocator so, once in a process; False where there is another one, which is left as it is."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, _MOST_KEPT_BYTES), (_TOP_PAD, _MOST_KEPT_BYTES))
    return all(set_option(name, value) for name, value in wanted)


@contextmanager
def making_what_lasts() -> Iterator[None]:
    """Let Python look for no garbage while what lasts is made, nor ever in it: 100,000 files cost it half a second."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
