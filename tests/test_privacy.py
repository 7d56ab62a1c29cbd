"""docs/privacy.md tells the retention of every topic as the list of topics has it."""

import re
from datetime import timedelta
from pathlib import Path

from schemas.topics import Topic, TopicNames, topics

PAGE = (Path(__file__).parents[1] / "docs/privacy.md").read_text()


def told() -> dict[str, str]:
    """Return what the table says of each topic."""
    rows = re.findall(r"^\| ((?:`[a-z.-]+` ?)+)\| ([^|]+) \|", PAGE.split("## Forgetting")[0], re.MULTILINE)
    return {name: kept for names, kept in rows for name in re.findall("`([a-z.-]+)`", names)}


def wanted(topic: Topic) -> str:
    if topic.retention is not None:
        return f"{topic.retention // timedelta(days=1)} d"
    return "the latest" if topic.cleanup == "compact" else "as the shop sets it"


def test_every_topic_has_its_retention_in_the_table() -> None:
    found = told()
    for topic in topics(TopicNames(), 4):
        assert found[topic.name].startswith(wanted(topic)), topic.name
