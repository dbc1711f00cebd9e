"""leakseg: bone cement leaks in spinal CT: found, classified, measured, with their vertebral level."""

__version__ = "0.1.0"
