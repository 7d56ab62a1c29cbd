from tests.bench.compare.table import PREFIX, table
from tests.bench.report import Figure, Result

NAMES = (
    "records per CPU second",
    "records per CPU second, start-up apart",
    "records",
    "incidents found",
    "incidents",
    "false alarms",
    "latency p50",
    "latency p99",
    "peak memory",
    "second start to the first new event",
    "second start to all applied",
    "incidents around the crash found",
    "events that came twice",
    "lines of code",
)


def test_each_program_has_a_row_and_other_benchmarks_have_none() -> None:
    figures = tuple(Figure(name, 10.0 + number) for number, name in enumerate(NAMES))

    assert table([Result("throughput", ())]) == ""
    _, head, line, quick, broken = table(
        [Result("throughput", ()), Result(f"{PREFIX}Quick 1.0", figures), Result(f"{PREFIX}Broken", (), failed="why")]
    ).splitlines()

    assert quick == "| Quick 1.0 | 10 | 11 | 12 | 13 of 14 | 15 | 16.0 | 17.0 | 18 | 19.0 | 20.0 | 21 of 14 | 22 | 23 |"
    assert broken.startswith("| Broken | failed |")
    assert {row.count("|") for row in (head, line, quick, broken)} == {quick.count("|")}
