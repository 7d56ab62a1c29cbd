"""What an archive holds: all topics of ours but those that the next cluster must not inherit.

    left behind      why
    commands         they were obeyed; what came of them is in state and events. Sent again they might count again
    signals          they were applied; what was not yet is told by `topics export`
    replenishment    the ERP has them
    watchlist        the workers write it anew
    dead letters     their headers name places in the old cluster's topics

A topic that the list gets one day is saved without a word here.
"""

from typing import Final

from schemas.topics import Topic, TopicNames, topics

_CONTRACT: Final = TopicNames()


def saved(names: TopicNames, partitions: int) -> dict[str, Topic]:
    """Return the topics that are saved, by their names in the contract. What is needed to decide comes last."""
    left = {names.commands, names.signals, names.replenishment, names.watchlist, *map(names.dead_letters, names.inputs)}
    found = [
        (contract.name, topic)
        for contract, topic in zip(topics(_CONTRACT, partitions), topics(names, partitions), strict=True)
        if topic.ours and topic.name not in left
    ]
    return dict(sorted(found, key=lambda each: (each[1].name == names.state, each[1].cleanup == "compact")))
