"""How property tests draw here: text from an alphabet that hurts, and no clock, as CI machines pause at will."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ALPHABET = "ab-1 \"\\/'\u00e9\u2615\U0001f600\u200f\u0000\n\u001f\u007f\u0085\u009f\u00a0"
"""Letters of one to four bytes, signs that JSON escapes, control characters and their neighbours."""

TEXT = st.text(ALPHABET, max_size=6)
