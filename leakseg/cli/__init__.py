"""The `leakseg` command: its options, its exit codes, and one sentence for whatever goes wrong.

Nothing heavy is imported here: `leakseg --help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import Any, NoReturn

from leakseg.errors import ConfigError, LeaksegError, OutputError

EXIT_TOLD = 1
"""Some case was refused or failed, or no study was found."""
EXIT_USAGE = 2
EXIT_OUR_FAULT = 70
EXIT_INTERRUPTED = 130
_EMPTY = (
    'One of the words after leakseg is empty (""), as a variable without a value leaves it; it would stand for the '
    "folder you are in. Name the folder, or leave the word out."
)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: file names may hold anything
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line; its exit code."""
    from leakseg.cli.app import app

    try:
        _check_words(arguments)
        code: Any = app(arguments, prog_name="leakseg", standalone_mode=False)
    except KeyboardInterrupt:
        return _stop("Interrupted.", EXIT_INTERRUPTED)
    except OutputError as error:
        return _stop(str(error), EXIT_TOLD)
    except LeaksegError as error:
        return _stop(str(error), EXIT_USAGE)
    except BrokenPipeError:
        return EXIT_TOLD
    except Exception as error:
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _check_words(arguments: list[str]) -> None:
    if "" in arguments:
        raise ConfigError(_EMPTY)


def _unexpected(error: Exception) -> int:
    """Typer's own errors by the marks they carry, whichever of its versions raised them; else our fault."""
    if type(error).__name__ == "Abort":
        return _stop("Interrupted.", EXIT_INTERRUPTED)
    sentence = getattr(error, "format_message", None)
    if sentence is None:
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        name = place.filename.replace("\\", "/").rpartition("/")[2]
        return _stop(
            f"A fault in leakseg itself ({type(error).__name__} at {name}:{place.lineno}). Please report it.",
            EXIT_OUR_FAULT,
        )
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(sentence() + "\n")
        return EXIT_USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "leakseg"
    told = str(sentence()).rstrip(".")
    return _stop(f"{told}{'' if told.endswith('?') else '.'} See `{command} --help`.", EXIT_USAGE)


def _stop(sentence: str, code: int) -> int:
    sys.stderr.write(f"leakseg: {sentence}\n")
    return code


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
