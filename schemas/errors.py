"""What may go wrong, as one tree.

    LivefuseError
    ├── ConfigurationError      settings that contradict each other or the world
    │   ├── RulesFileError      a rules file that cannot be applied
    │   └── TopicMismatch       a topic that is missing or not as the list of topics has it
    ├── CaptureError            a capture that cannot be read
    ├── DeadLetterError         a dead letter that cannot be sent back
    ├── BrokerError             the broker
    │   ├── BrokerUnavailable   cannot be reached
    │   ├── BrokerRefused       refuses us: credentials, rights, protocol
    │   ├── SendFailed          did not take a record for good
    │   └── FencedError         has given our lane to a successor
    └── LogError                the signals log or the state beside it
        ├── FrameError          a record of the signals topic that is no frame
        └── StateError          a state that this version cannot read

A record of an input topic that cannot be used is no error: it goes to its `dlq.` topic and is counted (contract,
section 3). The message of every error names what it is about, as `topic[partition]@offset` and product where there are
such. Each docstring says the cause, the effect and what an operator does.
"""

# ruff: noqa: N818 (some names say what happened; "Error" behind them would say nothing more)

from collections.abc import Sequence
from typing import NamedTuple


class LivefuseError(Exception):
    """Anything that livefuse raises on purpose.

    Cause: see the subclasses. Effect: the command line prints the message, no traceback, and ends with `exit_code`.
    Action: the message says it.

    The codes are those of docs/exit-codes.md. `next_step` is one sentence for whoever cannot read the docstring.
    """

    exit_code = 1
    next_step = "Do what the message says; `livefuse doctor` may tell more."


class ConfigurationError(LivefuseError):
    """Cause: a setting is missing, malformed, or contradicts another one.

    Effect: the process does not start; nothing was read or written. Action: correct the settings named in the message.
    """

    exit_code = 2
    next_step = "Correct the settings that the message names; docs/settings.md lists all of them."


class FileProblem(NamedTuple):
    """One error in a file that a person wrote. `line` counts from 1; None when it belongs to no line."""

    line: int | None
    message: str

    def at(self, source: str) -> str:
        """Return the problem behind its place, as compilers and editors write it: `rules.toml:4: ...`."""
        return f"{source}: {self.message}" if self.line is None else f"{source}:{self.line}: {self.message}"


class RulesFileError(ConfigurationError):
    """Cause: a rules file is no TOML, or has unknown keys or limits out of bounds.

    Effect: nothing is published; the rules in force stay. Action: correct the lines listed in `problems`.
    """

    next_step = "Correct these lines, then try `livefuse rules check FILE`."

    def __init__(self, problems: Sequence[FileProblem], source: str = "rules file") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        lines = [problem.at(self.source) for problem in self.problems]
        if len(lines) == 1:
            return lines[0]
        return "\n  ".join([f"{self.source} has {len(lines)} errors:", *lines])


class TopicMismatch(ConfigurationError):
    """Cause: a topic does not exist, or has another number of partitions or another cleanup policy than it must.

    Effect: the process does not start: a product would change its partition, or a state be deleted. Action: run
    `livefuse topics list`, then `livefuse topics apply`; where that refuses, set `partitions` to the existing number.
    """

    next_step = "Run `livefuse topics list`, then `livefuse topics apply`."


class CaptureError(LivefuseError):
    """Cause: a capture cannot be read: not found, damaged compression, or a line that kcat did not print.

    Effect: the replay ends at that line; what was written before is right. Action: make the capture again
    (`kcat -C -J`), or cut the line out.
    """

    exit_code = 2
    next_step = "Make the capture again with `kcat -C -J`, or cut the line out."


class DeadLetterError(LivefuseError):
    """Cause: a record of a `dlq.` topic does not say where it came from, or is asked for and not there.

    Effect: it is not sent back; the others are. Action: look at its headers with `livefuse dlq show`.
    """

    exit_code = 2
    next_step = "See what there is with `livefuse dlq list` and `livefuse dlq show`."


class BrokerError(LivefuseError):
    """Cause: see the subclasses.

    Effect: nothing is lost: source offsets and positions are only committed for what was written. Action: see there.
    """

    exit_code = 3
    next_step = "Check the broker and LIVEFUSE_BOOTSTRAP_SERVERS; `livefuse doctor` tells what it sees."


class BrokerUnavailable(BrokerError):
    """Cause: no broker answers at the configured addresses, or it went away.

    Effect: services wait and try again, commands end. Action: check `LIVEFUSE_BOOTSTRAP_SERVERS`, network and broker;
    `livefuse doctor` tells which of them it is.
    """


class BrokerRefused(BrokerError):
    """Cause: the broker answers but refuses: wrong credentials, a missing right, TLS, an unsupported request.

    Effect: the process ends, as waiting would not help. Action: correct the credentials, or grant the right named.
    """


class SendFailed(BrokerError):
    """Cause: the broker did not take a record for good: its disk is full, the record is too large, the topic is gone.

    Effect: the process ends, before it could write later records in front of this one; a restart goes on from the last
    commit. Action: remove the cause at the broker; the supervisor starts the process again.
    """


class FencedError(BrokerError):
    """Cause: another worker has opened the lane of this partition, after a rebalance or while this one stood still.

    Effect: this worker drops the lane and what it had not flushed; the successor applies it. Action: none. If it
    happens all the time, two deployments share one `application` name, or session timeouts are too short.
    """


class LogError(LivefuseError):
    """Cause: see the subclasses. Effect: the lane stops: to go on would be to decide wrongly. Action: see there."""

    exit_code = 4
    next_step = "Read the message before a restart: going on could decide wrongly."


class FrameError(LogError):
    """Cause: a record of the signals topic is no frame, or one of a newer version; somebody else writes to the topic.

    Effect: the lane stops in front of it. Action: upgrade workers first, then intakes (docs/upgrades.md); keep others
    from writing.
    """


class StateError(LogError):
    """Cause: a state in `livefuse.state` is damaged or was written by a newer release.

    Effect: the lane does not open; nothing was changed. Action: run workers of the release that wrote it, which take
    the partition over; docs/upgrades.md says how to go back.
    """


def other_version(what: str, found: object, known: int) -> str:
    """Return the message about bytes whose version this release does not read: what it means and what to do."""
    if isinstance(found, int) and found > known:
        return (
            f"{what} is of version {found}, written by a newer livefuse; this one reads version {known}. Nothing was "
            "changed and nothing is lost: run workers of the newer release, or go back as docs/upgrades.md says"
        )
    return f"{what} is of version {found}, which no livefuse has written; this one reads version {known}: it is damaged"
