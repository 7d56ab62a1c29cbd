"""Files of captures and labels: plain, `.gz` or `.xz`, and `-` for standard input and output."""

import gzip
import lzma
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from schemas.errors import CaptureError, ConfigurationError


@contextmanager
def opened_for_writing(path: Path) -> Iterator[BinaryIO]:
    """Open a file; the same content makes the same bytes, compressed too. ConfigurationError when it cannot be."""
    if str(path) == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("wb"))
            if path.suffix == ".gz":
                # Neither the name of the file nor the time of day goes into it.
                yield cast("BinaryIO", stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0)))
            elif path.suffix == ".xz":
                yield cast("BinaryIO", stack.enter_context(lzma.open(file, "wb")))
            else:
                yield file
    except BrokenPipeError:
        # Of whatever is written meanwhile; who reads that is gone.
        raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def opened_for_reading(path: Path) -> Iterator[Iterator[bytes]]:
    """Open a file and give its lines, without the mark that Windows sets in front of UTF-8.

    CaptureError when it cannot be read, or is damaged on the way.
    """
    if str(path) == "-":
        yield _without_mark(sys.stdin.buffer)
        return
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    try:
        with opener(path, "rb") as file:  # type: ignore[operator]
            yield _without_mark(file)
    except (OSError, EOFError, lzma.LZMAError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        # The text of an OSError names the path once more.
        reason = error.strerror if isinstance(error, OSError) else None
        raise CaptureError(f"{path} cannot be read: {reason or error}.") from error


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix(BOM_UTF8)
