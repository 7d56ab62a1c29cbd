from typing import Any

import pytest

from deploy.explain import headline, pauses, reasons, what_happened, why
from schemas.events import Cause, FuseEvent, FuseState

COMPLAINTS: dict[str, Any] = {"measured": 51, "limit": 50, "window_s": 3600, "evidence": ["c1", "c2"]}
OVERSELL: dict[str, Any] = {
    "measured": 90, "limit": 90, "level": 90, "rate": 30.0, "on_hand": 300, "as_of": "2026-11-11T12:00:00.000Z",
    "evidence": ["o1"],
}  # fmt: skip
RETURNS: dict[str, Any] = {
    "measured": 0.17, "limit": 0.12, "window_s": 3600, "b": 0.02, "R": 34, "N": 200, "k": 30, "evidence": ["r1"],
}  # fmt: skip


def event(sequence: int, kind: str, **more: Any) -> FuseEvent:
    """Return an event of the rule `surge`, as a worker writes it."""
    usual = {
        "event_id": "f9061d49-ba7a-5f8a-b9aa-9c9fbd7e5a26",
        "sequence": sequence,
        "type": kind,
        "product_id": "p42",
        "sku_id": None,
        "room_id": None,
        "rule": "surge",
        "rule_version": 3,
        "from": None,
        "to": None,
        "epoch": None,
        "shadow": False,
        "severity": "warning",
        "occurred_at": f"2026-11-11T12:00:{sequence:02d}.000Z",
        "actor": "rule",
        "reason": None,
        "paused": {"product": False, "skus": []},
        "cause": {},
    }
    return FuseEvent.model_validate(usual | more)


def opened(sequence: int, **more: Any) -> FuseEvent:
    return event(sequence, "fuse.opened", **{"from": "closed", "to": "open", "epoch": 1, "cause": COMPLAINTS, **more})


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (COMPLAINTS, "51 complaints within less than 1h; the fuse opens at more than 50"),
        (
            OVERSELL,
            (
                "90 left (stock level of 2026-11-11 12:00:00 UTC: 300 on hand), and at 30 a second 90 would be sold "
                "before a pause takes effect"
            ),
        ),
        (
            OVERSELL | {"measured": 0, "limit": 0, "level": 0, "rate": 0.0, "as_of": None},
            "0 left, and nothing is left to sell",
        ),
        (
            RETURNS,
            (
                "34 units came back in 30 returns within 1h, 17.0 % of the 200 units of its best such period; its "
                "worst before was 2.0 %, and 12.0 % opens the fuse"
            ),
        ),
        ({}, ""),
    ],
)
def test_each_kind_of_rule_is_told_in_a_sentence(cause: dict[str, Any], expected: str) -> None:
    given = {name: value for name, value in cause.items() if value is not None}
    assert why(Cause.model_validate(given)) == expected


def test_what_happened_names_who_and_why() -> None:
    operator = {"actor": "operator:jo", "reason": "false alarm"}
    override = {"rule": None, "cause": {"command_id": "x", "action": "pause", "expires_at": "2026-11-11T12:30:00.000Z"}}
    told = {
        what_happened(each)
        for each in (
            opened(1, sku_id="red"),
            opened(1, shadow=True),
            event(2, "fuse.probation", **operator),
            event(3, "fuse.closed", actor="timer"),
            event(3, "fuse.closed", actor="rules"),
            event(4, "override.set", **(operator | override)),
            event(5, "command.rejected", **(operator | {"cause": {"action": "resume", "rejected": "nothing_open"}})),
        )
    }
    complaints = "51 complaints within less than 1h; the fuse opens at more than 50"
    assert told == {
        f"the surge fuse of red opened: {complaints}",
        f"the surge fuse opened (in shadow: nothing is paused): {complaints}",
        "the surge fuse went to probation by jo: false alarm",
        "the surge fuse closed by its timer",
        "the surge fuse closed by rules version 3",
        "jo said pause: false alarm (until 2026-11-11 12:30:00 UTC)",
        "a command of jo (resume) changed nothing: no open fuse matches",
    }


def test_a_pause_lasts_until_its_own_fuse_leaves_open() -> None:
    probation = event(3, "fuse.probation", **{"from": "open", "to": "probation"})
    events = [
        opened(1),
        opened(2, sku_id="red"),
        probation,
        event(4, "fuse.acknowledged", **{"from": "open", "to": "open", "sku_id": "red"}),
        event(5, "override.set", rule=None, cause={"action": "pause"}),
        event(6, "override.cleared", rule=None),
        opened(7, epoch=2),
    ]
    assert [(pause.begin.sequence, pause.end and pause.end.sequence) for pause in pauses(events)] == [
        (1, 3), (2, None), (5, 6), (7, None),
    ]  # fmt: skip


def test_the_state_is_told_with_what_holds_it() -> None:
    fuse = {
        "rule": "surge", "sku_id": None, "state": "open", "epoch": 2, "shadow": False, "severity": "warning",
        "since": "2026-11-11T12:00:00.000Z", "acknowledged_by": "jo", "due": "2026-11-11T12:30:00.000Z",
        "cause": COMPLAINTS,
    }  # fmt: skip
    override = {
        "state": "allowed", "until": "2026-11-11T13:00:00.000Z", "actor": "jo", "reason": "checked",
        "since": "2026-11-11T12:10:00.000Z",
    }  # fmt: skip
    state = FuseState.model_validate(
        {"product_id": "p42", "sequence": 3, "room_id": None, "paused": {"product": False, "skus": []},
         "override": override, "fuses": [fuse, fuse | {"rule": "other", "state": "closed"}]}
    )  # fmt: skip
    assert headline("p42", state, []) == "p42 is not paused."
    allowed, surge = reasons(state)
    assert allowed.startswith("jo has said allowed until 2026-11-11 13:00:00 UTC")
    assert allowed.endswith("No open fuse pauses it meanwhile.")
    assert "surge is open since 2026-11-11 12:00:00 UTC (opening 2): 51 complaints" in surge
    assert "It goes to probation at 2026-11-11 12:30:00 UTC. Acknowledged by jo." in surge
    assert "never" not in headline("p42", None, [opened(1)])
    assert "ever open" in headline("p42", None, [])
