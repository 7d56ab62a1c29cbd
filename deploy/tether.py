"""A child process that cannot outlive the process that started it.

Linux sends a process the signal that it asked for with `prctl(PR_SET_PDEATHSIG)` when the *thread* that forked it
ends, also by `kill -9`. The setting survives `execve` but has to be made in the child, hence a short Python program
that makes it and then becomes the command: the process id that the caller sees is the command's own. (A `preexec_fn`
would do the same, but may deadlock in a parent that has threads.) Elsewhere than on Linux the command runs as it is.
"""

import os
import sys
from collections.abc import Sequence

# The parent may have died before prctl was called; then nobody would ever send the signal.
_TETHER = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("its parent has ended")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command line that runs `command` and is killed when the calling process ends.

    Start it from a thread that lives as long as the child should: the kernel watches the thread, not the process.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-ISc", _TETHER, str(os.getpid()), *command]
