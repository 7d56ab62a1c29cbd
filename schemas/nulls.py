"""Optional fields that have a default: null says the same as leaving them out."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# Pydantic puts the label of a union's branch into the place of an error, where a reader takes it for a field.
_NO_LABEL: Final = ""


@dataclass(frozen=True, slots=True)
class NullMeans:
    """Marks a field in whose place null stands for ``default``. The value itself is checked in Rust, as ever."""

    default: str | int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put null beside what the type admits."""
        given = handler(source)
        null = core_schema.no_info_after_validator_function(partial(_replace, self.default), core_schema.none_schema())
        return core_schema.union_schema([(given, _NO_LABEL), (null, _NO_LABEL)], mode="left_to_right")


def _replace(default: str | int, _: None) -> str | int:
    return default
