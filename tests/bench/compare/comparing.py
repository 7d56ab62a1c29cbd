"""The part `compare`: livefuse and the others, one after the other on one Kafka."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.calibration import Conditions
from tests.bench.compare.contenders import Contender, code_of_livefuse, contenders
from tests.bench.compare.lines_of_code import lines_of
from tests.bench.compare.measure import Course, Open, measure
from tests.bench.compare.running import foreign, ours
from tests.bench.compare.table import PREFIX
from tests.bench.report import Result, as_text, tell
from tests.kafka.cluster import TooLateError

NAMES: Final = ("livefuse", *contenders())
"""What `--of` takes."""

_LEAST_RECORDS: Final = 28_800
"""The smallest backlog with room for its incidents."""


class Extent(NamedTuple):
    """Records of a backlog and of that of slow programs, and probes."""

    records: int
    slow_records: int
    probes: int

    def course(self, *, slow: bool) -> Course:
        """Return how much a program gets. The second backlog is half of the first."""
        records = self.slow_records if slow else self.records
        return Course(records, max(records // 2, _LEAST_RECORDS), self.probes)


async def compare(
    bootstrap: str, directory: Path, names: Sequence[str], extent: Extent, programs: Mapping[str, Sequence[str]]
) -> list[Result]:
    """Measure the programs of these names. `programs` tells how livefuse is run, by what that is called."""
    # Before anything is measured, so that a failing installation costs no time.
    others = {name: prepare() for name, prepare in contenders().items() if name in names}
    results = []
    if "livefuse" in names:
        for name, program in programs.items():
            opened = _ours(program, bootstrap, directory)
            results.append(await _row(name, opened, extent.course(slow=False), lines_of(code_of_livefuse())))
    for contender in others.values():
        course = extent.course(slow=contender.slow)
        name = f"{contender.name} {contender.version}"
        results.append(await _row(name, _foreign(contender, bootstrap, directory), course, lines_of(contender.files)))
    return results


async def _row(name: str, opened: Open, course: Course, code: int) -> Result:
    before = Conditions.now()
    try:
        result = await measure(name, opened, course, code)
    except (RuntimeError, TimeoutError, TooLateError) as error:
        # One that fails says so in its row; the others have not taken their time for nothing.
        result = Result(name, (), failed=f"{type(error).__name__} {error}")
    result = result._replace(
        benchmark=f"{PREFIX}{name}",
        figures=result.figures + before.figures("before") + Conditions.now().figures("after"),
    )
    tell(as_text([result]))
    return result


def _ours(program: Sequence[str], bootstrap: str, directory: Path) -> Open:
    return lambda: ours(program, bootstrap, directory)


def _foreign(contender: Contender, bootstrap: str, directory: Path) -> Open:
    return lambda: foreign(contender, bootstrap, directory)
