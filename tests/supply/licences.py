"""Whether everything that is installed with livefuse is under a licence that goes with Apache-2.0.

    python -m tests.supply.licences          # says what is not; --all: says all

Looks at what requirements.run.lock pins, as it is installed here, and at what the console's page is made of. A package
says its licence as an SPDX expression, else as classifiers, else as text; what says none of them in words that we know
has to be looked at, and is named here.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from tests.supply.page import parts

LOCK: Final = Path(__file__).resolve().parents[2] / "requirements.run.lock"

ALLOWED: Final = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Modification", "CNRI-Python", "ISC",
    "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib", "ZPL-2.1",
}  # fmt: skip
"""May be installed beside Apache-2.0 software and passed on with it. MPL-2.0 asks for changed files only."""

_WORDS: Final = {
    r"apache(?: software)? license|apache[ -]?2(?:\.0)?|apache license,? (?:version )?2\.0": "Apache-2.0",
    r"mit(?: license)?|the mit license.*": "MIT",
    r"(?:new |modified |3-clause )?bsd(?: license)?|bsd[ -]3[ -]clause.*": "BSD",
    r"mozilla public license 2\.0.*": "MPL-2.0",
    r"isc(?: license)?.*": "ISC",
    r"python software foundation license|psfl?": "PSF-2.0",
    r"zope public license|zpl 2\.1": "ZPL-2.1",
    r"the unlicense.*": "Unlicense",
}

LOOKED_AT: Final = {
    # Its wheel says nothing; LICENSE in PagerDuty/python-pagerduty.
    "pagerduty": "MIT",
    # "Repoze Public License": three clauses of BSD, no use of their names, changed files say so.
    "venusian": "BSD-3-Clause-Modification",
}
"""Packages whose words say nothing, and the licence that was read in their files."""


def pinned(lock: Path = LOCK) -> list[str]:
    """Return the names of the packages in a lock."""
    return re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock.read_text(), re.MULTILINE)


def licences(package: Distribution) -> set[str]:
    """Return the SPDX names that a package says of itself; what is not known stays as it says it."""
    about = package.metadata
    if "License-Expression" in about:
        return _expressed(about["License-Expression"])
    classifiers = [each for each in about.get_all("Classifier") or () if each.startswith("License ::")]
    found = {_known(each.rpartition(":: ")[2]) for each in classifiers if each != "License :: OSI Approved"}
    text = about["License"].strip().partition("\n")[0] if "License" in about else ""
    return found or ({_known(text)} if text else set())


def _expressed(expression: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9.+-]+", expression)) - {"AND", "OR", "WITH"}


def _known(words: str) -> str:
    for pattern, name in _WORDS.items():
        if re.fullmatch(pattern, words, re.IGNORECASE):
            return name
    return words


def problems() -> Iterator[str]:
    """Say what is not allowed or not known, a line each."""
    for name in pinned():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            # Of another platform or a newer Python.
            continue
        said = {LOOKED_AT[name]} if name in LOOKED_AT else licences(package)
        if not said:
            yield f"{name} {package.version} does not say its licence: look at its files, and name it in LOOKED_AT"
        elif unknown := said - ALLOWED:
            yield f"{name} {package.version} is under {', '.join(sorted(unknown))}, which is not among those allowed"
    for part in parts():
        if not (said := _expressed(part.licence)) or said - ALLOWED:
            yield f"{part.name} {part.version} of the page is under {part.licence or 'no licence'}: not allowed"


def main() -> int:
    """Print what is wrong; 1 when something is."""
    found = list(problems())
    for line in found:
        sys.stdout.write(f"{line}\n")
    if "--all" in sys.argv:
        for name in pinned():
            try:
                sys.stdout.write(f"{name}: {', '.join(sorted(licences(distribution(name))))}\n")
            except PackageNotFoundError:
                sys.stdout.write(f"{name}: not installed here\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
