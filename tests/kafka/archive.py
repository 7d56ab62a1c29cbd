"""Java's archive of the classes that a broker loads: with it one starts in half the time, with half the work.

    python -m tests.kafka.archive

`make kafka` makes it beside the jars. It is good for these jars and this Java alone; another Java does without it.
"""

import sys
from datetime import timedelta

from tests.kafka.broker import ARCHIVE, JVM, KafkaBroker, jars_directory


def main() -> None:
    """Start a broker and end it in order, which is when Java writes down what it has loaded."""
    archive = jars_directory() / ARCHIVE
    archive.unlink(missing_ok=True)
    partial = archive.with_suffix(".partial")
    with KafkaBroker(jvm=(*JVM, f"-XX:ArchiveClassesAtExit={partial}")) as broker:
        # What is written is good only as a whole.
        broker.stop(timedelta(minutes=3))
    if partial.exists():
        partial.rename(archive)
    else:
        sys.stderr.write("Java has written no archive: brokers start without one.\n")


if __name__ == "__main__":
    main()
