"""Freed memory kept by the process for its next array: what the system takes back must be cleared and mapped anew.

A case makes and drops thousands of arrays of a few megabytes; touching fresh pages for each was a quarter of its time.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Names of glibc's ``mallopt``."""
_MOST_KEPT_BYTES = 64 << 20
"""What may lie free at the end of the heap before it goes back to the system."""
_LARGE_BYTES = 32 << 20
"""Larger arrays come from the system and go back to it at once (the most that glibc takes)."""


@cache
def keep_freed_memory() -> bool:
    """Set glibc's allocator so, once in a process; False where there is another one, which is left as it is."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(set_option(_MMAP_THRESHOLD, _LARGE_BYTES) and set_option(_TRIM_THRESHOLD, _MOST_KEPT_BYTES))
