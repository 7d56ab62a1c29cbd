"""The settings of livefuse that a file of deploy/ gives, held against the settings that there are."""

from collections.abc import Iterable

from deploy.settings import Settings, paths
from deploy.sources import CONFIG_VARIABLE, PREFIX, variable


def unknown(names: Iterable[str]) -> list[str]:
    """Return those of the variables that begin as ours do and are no setting."""
    known = {variable(each) for each in paths(Settings)} | {CONFIG_VARIABLE}
    return sorted(name for name in names if name.startswith(PREFIX) and name not in known)
