"""An outside program that ends when we do, whatever ends us, and takes its own children along."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_KEEPER = """
import os, signal, subprocess, sys, threading
def end_with_parent():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end_with_parent, daemon=True).start()
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
os._exit(code if code >= 0 else 128 - code)
"""
"""Stands between us and the program, in a session of its own: as our end of its input closes, which the
system does for us when we are killed, it ends all of the session's first group."""


def on_a_leash(arguments: Sequence[str], log: Path, environment: Mapping[str, str], timeout_s: float) -> int | None:
    """Run a program to its end; its exit code (128 + signal where it was killed), None where it took too long.

    Parameters
    ----------
    log
        Takes what it says on both streams.
    """
    with log.open("wb") as stream:
        keeper = subprocess.Popen(  # noqa: S603 - a program that the user names, without a shell
            [sys.executable, "-I", "-S", "-c", _KEEPER, *arguments],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            return keeper.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(OSError):
                os.killpg(keeper.pid, signal.SIGKILL)
            keeper.communicate()
