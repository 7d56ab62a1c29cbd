"""Identifiers as the contract admits them: text of 1 to 128 characters, or an integer read as its decimal string."""

from typing import Annotated, Final

from pydantic import GetPydanticSchema, StringConstraints, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

MAX_ID_LENGTH: Final = 128

ID_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""No C0 control, no DEL, no C1 control. Pydantic's Rust engine runs it: there `$` is the end of the text only."""


def decimal_id(number: int) -> str:
    """Return the decimal string of an integer id; ValueError when it is longer than an id may be."""
    if not -(10 ** (MAX_ID_LENGTH - 1)) < number < 10**MAX_ID_LENGTH:
        raise ValueError(f"an id has at most {MAX_ID_LENGTH} characters")
    return str(number)


def _id_schema(*_: object) -> CoreSchema:
    # Left to right, so that the Python function is only called for an integer: text, the common case, stays in Rust.
    text = core_schema.str_schema(strict=True, min_length=1, max_length=MAX_ID_LENGTH, pattern=ID_PATTERN)
    integer = core_schema.no_info_after_validator_function(decimal_id, core_schema.int_schema(strict=True))
    return core_schema.union_schema(
        [text, integer],
        mode="left_to_right",
        custom_error_type="id",
        custom_error_message="Input should be text of 1 to 128 characters without control characters, or an integer",
    )


TextId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_ID_LENGTH, pattern=ID_PATTERN)]
"""An id that is text always: the name of an operator, the code of a reason."""

Id = Annotated[
    str,
    GetPydanticSchema(_id_schema),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "pattern": ID_PATTERN},
                {"type": "integer"},
            ],
            "description": "Text without control characters, or an integer of at most 128 digits, read as its decimal.",
        },
    ),
]
