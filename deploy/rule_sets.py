"""The rules in force: what the newest record of `livefuse.rules` says, or the rules of a fresh system; and new ones.

Everything that can change a decision passes through the signals log, and so do rules: a published set takes effect in
every partition at one point of its log.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
from pydantic import ValidationError

from deploy.kafka import open_producer, read
from schemas.errors import ConfigurationError
from schemas.rules import DEFAULT_RULES, Rule, RuleSet
from schemas.topics import TopicNames
from streams.config import KafkaConfig

KEY: Final = b"rules"


async def in_force(config: KafkaConfig, names: TopicNames) -> RuleSet:
    """Return the rule set with the largest version, as workers choose it; those that are not valid are passed over."""
    newest = DEFAULT_RULES
    async for record in read(config, [names.rules]):
        if record.key == KEY and record.value is not None:
            try:
                found = RuleSet.model_validate_json(record.value)
            except ValidationError:
                continue
            newest = found if found.version > newest.version else newest
    return newest


def successor(before: RuleSet, rules: Iterable[Rule], actor: str) -> RuleSet:
    """Return the next version, issued now. ConfigurationError when the rules do not fit together."""
    try:
        return RuleSet(
            version=before.version + 1, issued_at=time.time_ns() // 1_000_000, actor=actor, rules=tuple(rules)
        )
    except ValidationError as error:
        raise ConfigurationError("; ".join(each["msg"] for each in error.errors(include_url=False))) from error


async def publish(config: KafkaConfig, names: TopicNames, rules: RuleSet, reason: str) -> None:
    """Send a rule set to the rules topic; the reason goes along as a header."""
    headers = [("livefuse.reason", reason.encode())] if reason else []
    value = orjson.dumps(rules.model_dump(mode="json"))
    async with open_producer(config) as producer:
        await producer.send_and_wait(names.rules, value, key=KEY, headers=headers)


def differences(before: RuleSet, after: RuleSet) -> Iterator[str]:
    """Say, one line each, what is new, gone or changed."""
    old, new = ({rule.id: rule for rule in each.rules} for each in (before, after))
    for rule_id in sorted(old.keys() | new.keys()):
        if rule_id not in new:
            yield f"- {rule_id}: gone; its open fuses close"
        elif rule_id not in old:
            yield f"+ {rule_id}: new ({new[rule_id].kind}, {new[rule_id].mode})"
        else:
            was, now = _flat(old[rule_id]), _flat(new[rule_id])
            for key in sorted(was.keys() | now.keys()):
                if was.get(key) != now.get(key):
                    yield f"~ {rule_id}: {key} {_text(was.get(key))} -> {_text(now.get(key))}"


def _flat(rule: Rule) -> dict[str, Any]:
    return rule.model_dump(mode="json")


def _text(value: object) -> str:
    return "none" if value is None else orjson.dumps(value).decode()
