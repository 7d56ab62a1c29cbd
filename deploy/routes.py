"""Routes of the pager's channels that lead nowhere: a channel that waits for a rule which nobody has waits for ever."""

import asyncio
from collections.abc import Collection
from typing import Final

from alerts.pager.config import ChannelConfig
from deploy.rule_sets import in_force
from deploy.settings import Settings
from schemas.errors import LivefuseError

PATIENCE_S: Final = 15.0


async def doubts(settings: Settings) -> list[str]:
    """Say, a sentence each, which channels name rules that are not in force, or why that cannot be told.

    The broker is asked only when a channel names rules.
    """
    channels = settings.trial_config().channels
    if not any(each.route.rules for each in channels):
        return []
    try:
        async with asyncio.timeout(PATIENCE_S):
            rules = await in_force(settings.kafka_config(), settings.topics)
    except (LivefuseError, TimeoutError) as error:
        reason = str(error) or f"no answer within {PATIENCE_S:g} s"
        return [f"whether the rules that channels name are in force cannot be told: {reason}"]
    return unknown(channels, [each.id for each in rules.rules])


def unknown(channels: Collection[ChannelConfig], rules: Collection[str]) -> list[str]:
    """Say, a sentence each, which channels name rules that are none of these."""
    known = ", ".join(sorted(rules)) or "none"
    return [
        f"channel {each.name} is for {', '.join(missing)}, which is no rule in force. In force: {known}."
        for each in channels
        if (missing := sorted(each.route.rules - set(rules)))
    ]
