from textwrap import dedent

from tests.bench.compare.contenders import code_of_livefuse
from tests.bench.compare.lines_of_code import java_lines, lines_of, python_lines


def test_lines_of_python_are_those_that_bear_code() -> None:
    source = dedent('''\
        """What it is.

        At length."""

        # Why.
        TEXT = """a value
        of two lines"""
        """What TEXT is."""


        def double(number: int) -> int:
            """Return it twice."""
            return (
                number  # not a comment alone
                * 2
            )
        ''')

    assert python_lines(source) == 7


def test_lines_of_java_are_those_that_bear_code() -> None:
    source = dedent("""\
        package compare;

        /** What it is.
         *  At length. */
        final class Main { // here
            // Why.
            static final String URL = "http://host/*"; /* what */
            int i; /* this
            and */ int j;
        }
        """)

    assert java_lines(source) == 6


def test_livefuse_is_counted_without_its_tests() -> None:
    files = code_of_livefuse()

    assert {file.parts[-2] for file in files} >= {"schemas", "engine", "intake", "worker"}
    assert lines_of(files) == sum(python_lines(file.read_text()) for file in files)
