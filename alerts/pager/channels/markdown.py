"""Text for the two kinds of Markdown that chat robots show.

Neither DingTalk nor WeCom documents an escape character, and their programs on telephones and desks differ. So what
could be markup is written with its full-width twin, which no program takes for markup: `[x](y)` becomes `［x］(y)`.
"""

from typing import Final
from urllib.parse import quote

_TWINS: Final = str.maketrans({character: chr(ord(character) + 0xFEE0) for character in "[]<>*`#|~\\"})


def escaped(text: str) -> str:
    """Return a text without markup, as one line."""
    return text.translate(_TWINS)


def link(words: str, url: str) -> str:
    """Write a link; what would end it too early is percent-encoded."""
    return f"[{escaped(words)}]({quote(url, safe=':/?#@!$&*+,;=%~')})"
