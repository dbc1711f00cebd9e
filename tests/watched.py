"""leakseg's command with its logs at every level, its warnings shown and every file it writes looked at.

    python watched.py EXPOSED ARGUMENT...

EXPOSED then holds, as JSON, the files that were opened for writing where others than the user could read them: neither
in a folder of the user's alone, nor readable by the user alone. The folders that lead to EXPOSED count as open, closed
or not: they are the test's own.
"""

import json
import logging
import os
import stat
import sys
import warnings
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR


def is_private(path, open_folders):
    """Whether the file, or a folder on the way to it, is closed to others."""
    for one in (path, *path.parents):
        if one in open_folders:
            continue
        try:
            state = one.stat()
        except OSError:
            continue
        if not stat.S_IMODE(state.st_mode) & 0o077 and state.st_uid == os.getuid():
            return True
    return False


def main():
    exposed, opened = set(), []
    open_folders = set(Path(sys.argv[1]).absolute().parents)

    def hook(event, arguments):
        while opened:  # looked at when the next thing happens: by then the file is there
            path = opened.pop()
            if not path.is_dir() and not is_private(path, open_folders):  # a lock may open its folder
                exposed.add(str(path))
        if event == "open" and isinstance(arguments[0], str | os.PathLike) and arguments[2] & WRITING:
            path = Path(os.fsdecode(arguments[0])).absolute()
            if not str(path).startswith("/dev/"):
                opened.append(path)

    os.umask(0o022)
    logging.basicConfig(level=1)
    warnings.simplefilter("always")
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(1)
    from leakseg.cli import run_command

    sys.addaudithook(hook)
    code = run_command(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(sorted(exposed)), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
