from datetime import timedelta
from typing import Any

import pytest

from alerts.pager.notice import Kind, Notice, Opening
from tests.alerts.pager.examples import NO_FUSE, OVERSELL, event, notice


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("fuse.opened", "opened"),
        ("fuse.acknowledged", "acknowledged"),
        ("fuse.probation", "probation"),
        ("fuse.closed", "closed"),
        ("override.set", "override_set"),
        ("override.cleared", "override_cleared"),
        ("command.rejected", "rejected"),
    ],
)
def test_every_type_of_event_is_a_kind_of_notice(type_: str, kind: Kind) -> None:
    assert notice(type=type_).kind == kind


def test_all_that_is_said_of_one_opening_has_one_identity() -> None:
    opened = notice(OVERSELL)
    assert opened.opening == Opening("p42", "oversell", "red", 1)
    assert notice(OVERSELL, type="fuse.closed", sequence=8).opening == opened.opening
    assert notice(OVERSELL, epoch=2).opening != opened.opening
    assert notice(OVERSELL, sku_id="blue").opening != opened.opening


@pytest.mark.parametrize("changes", [NO_FUSE, {**NO_FUSE, "rule": "oversell", "sku_id": "red"}])
def test_what_belongs_to_no_fuse_has_no_opening_and_is_information(changes: dict[str, Any]) -> None:
    said = notice(changes, type="override.set")
    assert said.opening is None
    assert said.severity == "info"


def test_what_is_said_again_has_an_id_of_its_own() -> None:
    opened = event()
    ids = {
        Notice.of(opened).id,
        Notice.unacknowledged(opened, timedelta(minutes=5)).id,
        Notice.unacknowledged(opened, timedelta(minutes=10)).id,
    }
    assert len(ids) == 3
    assert Notice.of(opened).id == "1fbd2bdd-6fae-59f6-87c9-a5382c6bda15"
