"""Hypothesis strategies for timelines, and the same timelines from seeds."""

import random

from hypothesis import strategies as st

from tests.properties.timelines import Timeline, Writer

RULES_BYTES = 120
STEP_BYTES = 24
FEWEST_STEPS = 30
MOST_STEPS = 140


def written(rules_text: bytes, texts: list[bytes]) -> Timeline:
    """Return the timeline that these strings of bytes spell."""
    writer = Writer(rules_text)
    for text in texts:
        writer.step(text)
    return writer.timeline()


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Return whole timelines. A step of zeros does nothing, so that hypothesis can leave steps out."""
    steps = st.lists(st.binary(min_size=STEP_BYTES, max_size=STEP_BYTES), min_size=FEWEST_STEPS, max_size=MOST_STEPS)
    return written(draw(st.binary(min_size=RULES_BYTES, max_size=RULES_BYTES)), draw(steps))


def seeded_timeline(seed: int, steps: int) -> Timeline:
    """Return the timeline of a seed: always the same."""
    chance = random.Random(seed)
    return written(chance.randbytes(RULES_BYTES), [chance.randbytes(STEP_BYTES) for _ in range(steps)])
