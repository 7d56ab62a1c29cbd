"""A livefuse of a test's own: intakes and workers as real processes that may be killed, stopped, continued, restarted.

    with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_INTAKE__FRAME_SIGNALS="7") as cluster:
        cluster.apply_topics()
        intake, worker = cluster.intake(), cluster.worker()
        worker.kill()
        worker.start()

Topics, group names and transactional ids begin with `prefix`, so any number of clusters share a broker. Every process
writes to a log of its own below `directory`, all its lives one after the other. Processes end with the cluster, and
with the test run at the latest.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from deploy.admin import Admin
from deploy.kafka import open_admin
from deploy.settings import Settings
from deploy.tether import tethered
from deploy.topics import carry_out, plan_topics
from schemas.topics import TopicNames

PROJECT: Final = Path(__file__).resolve().parents[2]
LIVEFUSE: Final = (sys.executable, "-m", "deploy.cli")

INPUT_PARTITIONS: Final = 3
SIGNALS_PARTITIONS: Final = 4


class TooLateError(AssertionError):
    """What a test waits for did not happen in its time."""


async def until(
    condition: Callable[[], Awaitable[bool]],
    what: str,
    *,
    within: timedelta,
    between: timedelta = timedelta(seconds=0.1),
    state: Callable[[], str] = str,
) -> None:
    """Return when the condition holds.

    Raises TooLateError, with `what` and the `state`, when it does not `within` the time.
    """
    deadline = time.monotonic() + within.total_seconds()
    while not await condition():
        if time.monotonic() > deadline:
            raise TooLateError(f"not within {within.total_seconds():.0f} s: {what}. {state()}")
        await asyncio.sleep(between.total_seconds())


class Service:
    """One `livefuse` process that runs until it is ended, and its later lives."""

    def __init__(
        self, name: str, command: str, environment: dict[str, str], log: Path, program: Sequence[str] = LIVEFUSE
    ) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.lives = 0
        self._environment = environment
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0

    def __repr__(self) -> str:
        return f"<{self.name}, life {self.lives}, {'alive' if self.alive else 'dead'}, log {self.log}>"

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped and could run on."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._process is None or self._process.poll() is not None:
            raise TooLateError(f"{self.name} has ended by itself; the end of its log:\n{self.tail()}")
        return self._process.pid

    @property
    def said(self) -> str:
        """What the present life has written, to standard output and standard error."""
        with self.log.open("rb") as file:
            file.seek(self._began)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 30) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def start(self) -> None:
        """Begin a new life."""
        if self.alive:
            raise AssertionError(f"{self.name} is alive")
        self.lives += 1
        with self.log.open("ab") as output:
            output.write(f"=== {self.name}, life {self.lives}, {time.strftime('%H:%M:%S')}\n".encode())
            output.flush()
            self._began = output.tell()
            self._process = subprocess.Popen(
                tethered([*self._program, self.command]),
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        """`kill -9`."""
        os.kill(self.pid, signal.SIGKILL)
        self._reap(timedelta(seconds=60))

    def freeze(self) -> None:
        """Stop it as it stands (SIGSTOP): to all others it looks dead."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue it (SIGCONT): it does not know that time has passed."""
        os.kill(self.pid, signal.SIGCONT)

    def drain(self, grace: timedelta = timedelta(seconds=60)) -> int:
        """End it in order (SIGTERM) and return its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._reap(grace)

    async def ended(self, within: timedelta) -> int:
        """Wait until it has ended by itself; return its exit code."""

        async def has_ended() -> bool:
            return not self.alive

        await until(has_ended, f"{self.name} ends by itself, its log is {self.log}", within=within)
        return self._reap(timedelta(seconds=1))

    async def says(self, text: str, within: timedelta) -> None:
        """Wait until its present life has written `text` (in any case). Raises TooLateError when it ends before."""

        async def has_said() -> bool:
            ended = not self.alive
            found = text.lower() in self.said.lower()
            if ended and not found:
                raise TooLateError(f'{self.name} has ended by itself and never said "{text}"')
            return found

        try:
            await until(has_said, f'{self.name} says "{text}"', within=within)
        except TooLateError as error:
            raise TooLateError(f"{error}; the end of {self.log}:\n{self.tail()}") from None

    def end(self) -> None:
        """End it whatever its state, if it lives."""
        if self.alive:
            self.kill()

    def _reap(self, grace: timedelta) -> int:
        assert self._process is not None
        return self._process.wait(grace.total_seconds())


class Cluster:
    """Intakes and workers with one prefix on one broker. `settings` are further LIVEFUSE_ variables.

    `logins` takes variables of some commands alone, where each logs in as itself.

    `program` runs the intakes and workers; other commands are always those of the project as it lies here.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        directory: Path,
        *,
        program: Sequence[str] = LIVEFUSE,
        **settings: str,
    ) -> None:
        self.bootstrap = bootstrap
        self.logins: dict[str, dict[str, str]] = {}
        self._program = program
        self.prefix = prefix
        self.directory = directory
        self.services: list[Service] = []
        # Those that were taken out of `services` keep their names.
        self._numbers: Counter[str] = Counter()
        self.names = TopicNames(
            orders=f"{prefix}.orders",
            returns=f"{prefix}.returns",
            complaints=f"{prefix}.complaints",
            stock_levels=f"{prefix}.stock-levels",
            prefix=f"{prefix}.",
            dead_letter_prefix=f"{prefix}.dlq.",
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIVEFUSE_")}
        self.environment = {
            **inherited,
            "LIVEFUSE_BOOTSTRAP_SERVERS": bootstrap,
            "LIVEFUSE_APPLICATION": prefix,
            "LIVEFUSE_TOPICS__ORDERS": self.names.orders,
            "LIVEFUSE_TOPICS__RETURNS": self.names.returns,
            "LIVEFUSE_TOPICS__COMPLAINTS": self.names.complaints,
            "LIVEFUSE_TOPICS__STOCK_LEVELS": self.names.stock_levels,
            "LIVEFUSE_TOPICS__PREFIX": self.names.prefix,
            "LIVEFUSE_TOPICS__DEAD_LETTER_PREFIX": self.names.dead_letter_prefix,
            "LIVEFUSE_PARTITIONS": str(SIGNALS_PARTITIONS),
            "LIVEFUSE_INPUT_PARTITIONS": str(INPUT_PARTITIONS),
            "LIVEFUSE_SESSION_TIMEOUT": "6s",
            **settings,
        }
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def intake_group(self) -> str:
        """The consumer group of the intakes."""
        return f"{self.prefix}-intake"

    @property
    def worker_group(self) -> str:
        """The consumer group of the workers."""
        return f"{self.prefix}-worker"

    def run(self, *arguments: str, within: timedelta = timedelta(seconds=120)) -> subprocess.CompletedProcess[str]:
        """Run one `livefuse` command to its end; nothing is checked."""
        return subprocess.run(
            [*LIVEFUSE, *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=within.total_seconds(),
            check=False,
        )

    def apply_topics(self) -> None:
        """Create all topics, those of the shop too: `livefuse topics apply --create-inputs`, without a process."""
        # In a thread: the test that calls has an event loop of its own.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, self._apply_topics()).result()

    async def _apply_topics(self) -> None:
        settings = Settings.load(None, self.environment)
        async with open_admin(settings.kafka_config()) as client:
            admin = Admin(client)
            await carry_out(admin, await plan_topics(admin, settings, create_inputs=True))

    def intake(self, program: Sequence[str] | None = None) -> Service:
        """Start one more intake, by a program of its own if one is given."""
        return self._add("intake", program)

    def worker(self, program: Sequence[str] | None = None) -> Service:
        """Start one more worker, by a program of its own if one is given."""
        return self._add("worker", program)

    def pager(self) -> Service:
        """Start one more pager."""
        return self._add("pager")

    def console(self) -> Service:
        """Start one more console."""
        return self._add("console")

    def start(self, *, intakes: int, workers: int) -> None:
        """Start so many intakes and workers, in turns."""
        for number in range(max(intakes, workers)):
            if number < workers:
                self.worker()
            if number < intakes:
                self.intake()

    async def at_work(self, within: timedelta = timedelta(seconds=90)) -> None:
        """Wait until each intake has sources and each worker has a lane."""
        for service in self.services:
            await service.says("lane.opened" if service.command == "worker" else "intake.assigned", within)

    def kill_all(self) -> None:
        """End everything that runs, as a power cut would."""
        for service in self.services:
            service.end()

    def _add(self, command: str, program: Sequence[str] | None = None) -> Service:
        self._numbers[command] += 1
        name = f"{command}-{self._numbers[command]}"
        environment = self.environment | self.logins.get(command, {})
        service = Service(name, command, environment, self.directory / f"{name}.log", program or self._program)
        self.services.append(service)
        service.start()
        return service

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
