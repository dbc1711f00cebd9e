"""The built-in segmentation: vertebrae, canal and levels from the raw CT, without weights or network."""

from __future__ import annotations

from leakseg.providers.builtin.pipeline import BuiltinMasks, segment

__all__ = ["BuiltinMasks", "segment"]
