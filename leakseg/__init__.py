"""leakseg: bone cement leaks in spinal CT: found, classified, measured, with their vertebral level."""

import os

# Most of a large array is never touched here: with huge pages all of it would be held in memory.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")

__version__ = "0.1.0"
