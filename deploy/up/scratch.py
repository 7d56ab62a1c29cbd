"""A directory for as long as its process lives. What a killed process could not remove, the next one does.

A file in the directory is locked until the process has ended, however it ends: so whoever can lock the file of another
directory knows that nobody uses it any more. The file gets its name when it is locked already, and a directory without
it is left alone: it may be new, or none of ours.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"
_NEW_LOCK: Final = "lock.new"


class Scratch:
    """A new directory below the system's for temporary files. `prefix`: what names of this kind begin with."""

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._lock = os.open(self.path / _NEW_LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / _NEW_LOCK).rename(self.path / _LOCK)

    def remove(self) -> None:
        """Remove the directory and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_leftovers(prefix: str) -> None:
    """Remove this user's directories of the kind whose processes have gone."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # One that vanishes in between, or cannot be opened, is somebody else's.
        with suppress(OSError):
            if path.stat(follow_symlinks=False).st_uid == os.getuid() and not path.is_symlink():
                _remove_left(path)


def _remove_left(path: Path) -> None:
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
