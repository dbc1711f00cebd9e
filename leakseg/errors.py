"""The error family: what can go wrong, named by whose business it is.

Every message says what was found, where, what was expected and what to do, and never holds a
patient's name or a path that may hold one.
"""

from __future__ import annotations


class LeaksegError(Exception):
    """Anything leakseg itself raises on purpose."""


class InputError(LeaksegError):
    """A case that cannot be used: it is refused and the others go on."""


class SeriesError(InputError):
    """No series, several that cannot be told apart, not CT, or undecodable pixels."""


class GeometryError(InputError):
    """Slices that do not make one volume: missing, double, tilted, uneven, two frames."""


class AnatomyError(InputError):
    """No vertebra in the masks, or masks that do not fit the scan."""


class ConfigError(LeaksegError):
    """The command line, the recipe or a labels file is wrong (exit code 2)."""


class PluginError(LeaksegError):
    """A plugin could not be loaded or broke its contract."""


class OutputError(LeaksegError):
    """Results could not be written."""
