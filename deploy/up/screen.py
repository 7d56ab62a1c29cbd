"""What `up` writes: a table that is drawn again and again on a terminal, plain lines elsewhere, or JSON lines.

Screen.ready(...)  notice(...)  event(...)  status(...)     each way of writing has the four
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deploy.cli.output import note, printable, write, write_json_line
from deploy.explain import moment, reasons, what_happened

if TYPE_CHECKING:
    from deploy.up.child import Child
    from deploy.up.watcher import Picture
    from schemas.events import FuseEvent

SHOWN_PRODUCTS: Final = 8
SHOWN_EVENTS: Final = 8
SHOWN_NOTICES: Final = 4
STATUS_EVERY: Final = 5
"""Of so many looks one becomes a plain line."""


class Screen(Protocol):
    """A way of writing. The texts of others are made harmless by it."""

    def open(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End, and leave the terminal as it was."""

    def ready(self, facts: dict[str, Any]) -> None:
        """Tell that everything runs.

        `facts`: `bootstrap_servers`, `embedded`, `workers`, `seconds`, what there is of `console` and `monitoring`, and
        the pager's `channels` or `channels_left_out`, if the settings have any.
        """

    def notice(self, text: str) -> None:
        """Tell what an operator should know."""

    def event(self, event: "FuseEvent") -> None:
        """Tell of a fuse event."""

    def status(self, picture: "Picture", children: "Sequence[Child]") -> None:
        """Tell how things stand; called once a second."""


def _ready_line(facts: dict[str, Any]) -> str:
    kind = "embedded broker" if facts["embedded"] else "broker"
    monitoring = "".join(f"\n       {name} {url}" for name, url in facts.get("monitoring", {}).items())
    console = f"\n       console {_entrance(facts['console'])}" if "console" in facts else ""
    channels = ""
    if told := facts.get("channels"):
        channels = f"\n       channels that are told: {', '.join(told)}"
    elif left_out := facts.get("channels_left_out"):
        channels = (
            f"\n       channels that are not told, as this is no real sale: {', '.join(left_out)}; see --real-channels"
        )
    return (
        f"ready: {kind} {facts['bootstrap_servers']}, 1 intake, {facts['workers']} worker(s), "
        f"{facts['seconds']:.1f} s{console}{monitoring}{channels}"
    )


def _entrance(console: dict[str, Any]) -> str:
    """Return where the console is, and the accounts that `up` has made for it."""
    accounts = " or ".join(f"{each['name']} / {each['password']}" for each in console["accounts"])
    return f"{console['url']}{f'   sign in as {accounts}' if accounts else ''}"


class PlainLines:
    """For logs and pipes: one line for each thing."""

    def __init__(self) -> None:
        self._looks = 0

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def ready(self, facts: dict[str, Any]) -> None:
        """Write the ready line."""
        write(_ready_line(facts))

    def notice(self, text: str) -> None:
        """Write to standard error."""
        note(text)

    def event(self, event: "FuseEvent") -> None:
        """Write one line."""
        write(f"{moment(event.occurred_at)}  {printable(event.product_id)}  {printable(what_happened(event))}")

    def status(self, picture: "Picture", children: "Sequence[Child]") -> None:
        """Write one line now and then."""
        self._looks += 1
        if self._looks % STATUS_EVERY == 0:
            restarts = sum(child.restarts for child in children)
            write(
                f"status: {picture.rate:.0f} records/s, intake {picture.intake_lag} records behind, workers "
                f"{picture.worker_lag} frames behind, {len(picture.held_back())} products paused, "
                f"{picture.events} events, {restarts} restarts"
            )


class JsonLines:
    """For programs: objects with a `type` of `ready`, `notice`, `event` or `status`."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def ready(self, facts: dict[str, Any]) -> None:
        """Write a `ready` object."""
        write_json_line({"type": "ready", **facts})

    def notice(self, text: str) -> None:
        """Write a `notice` object."""
        write_json_line({"type": "notice", "text": text})

    def event(self, event: "FuseEvent") -> None:
        """Write an `event` object."""
        write_json_line({"type": "event", "event": event.model_dump(mode="json")})

    def status(self, picture: "Picture", children: "Sequence[Child]") -> None:
        """Write a `status` object."""
        write_json_line({
            "type": "status",
            "records": picture.records,
            "records_per_second": round(picture.rate, 1),
            "intake_lag_records": picture.intake_lag,
            "worker_lag_frames": picture.worker_lag,
            "events": picture.events,
            "paused": {state.product_id: list(reasons(state)) for state in picture.held_back()},
            "processes": [{"name": each.name, "pid": each.pid, "restarts": each.restarts} for each in children],
        })  # fmt: skip


class Dashboard:
    """For people: a picture that stays in its place, on the terminal that `console` writes to."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._notices: deque[str] = deque(maxlen=SHOWN_NOTICES)
        self._console_line = ""

    def open(self) -> None:
        """Take the terminal."""
        self._live.start()

    def close(self) -> None:
        """Give the terminal back; the last picture stays."""
        self._live.stop()

    def ready(self, facts: dict[str, Any]) -> None:
        """Write the ready line above the picture; where the console is stays in it."""
        if "console" in facts:
            self._console_line = f"console {_entrance(facts['console'])}"
        self._console.print(Text(_ready_line(facts), style="green"))

    def notice(self, text: str) -> None:
        """Show it below the picture until others take its place."""
        self._notices.append(f"{datetime.now(UTC):%H:%M:%S}  {text}")

    def event(self, event: "FuseEvent") -> None:
        """Wait for the next picture, which has it."""

    def status(self, picture: "Picture", children: "Sequence[Child]") -> None:
        """Draw."""
        self._live.update(self.picture(picture, children), refresh=True)

    def picture(self, picture: "Picture", children: "Sequence[Child]") -> Group:
        """Return what is drawn."""
        return Group(
            Text(
                f"\n{picture.rate:,.0f} records/s   intake {picture.intake_lag:,} records behind   workers "
                f"{picture.worker_lag:,} frames behind   {picture.records:,} records   {picture.events:,} events",
                style="bold",
            ),
            Text("   ".join(map(_process, children)), style="dim"),
            *([Text(self._console_line, style="cyan")] if self._console_line else []),
            self._paused(picture),
            self._events(picture),
            *(Text(each, style="yellow") for each in self._notices),
            Text("Ctrl-C ends everything.", style="dim"),
        )

    def _paused(self, picture: "Picture") -> Table:
        found = picture.held_back()
        table = Table(
            "product", "why", box=SIMPLE_HEAD, title=f"paused: {len(found)}", title_justify="left", expand=True
        )
        for state in found[:SHOWN_PRODUCTS]:
            skus = "" if state.paused.product else f" ({', '.join(state.paused.skus)})"
            why = " ".join(reasons(state))
            table.add_row(escape(printable(state.product_id + skus)), escape(printable(why)))
        return table

    def _events(self, picture: "Picture") -> Table:
        table = Table(
            "time", "product", "event", box=SIMPLE_HEAD, title="last events", title_justify="left", expand=True
        )
        for event in list(picture.last_events)[-SHOWN_EVENTS:]:
            time = moment(event.occurred_at)
            table.add_row(time, escape(printable(event.product_id)), escape(printable(what_happened(event))))
        return table


def _process(child: "Child") -> str:
    state = f"pid {child.pid}" if child.pid else "down"
    return f"{child.name} {state}{f', {child.restarts} restarts' if child.restarts else ''}"
