"""Validation errors in words that a person who wrote a record or a rules file understands, and nothing that it held."""

from typing import Final

from pydantic_core import ErrorDetails

_WHOLE_MESSAGES: Final = {
    "missing": "is missing",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "extra_forbidden": "is not known",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
}
_PREFIXES: Final = (
    "Value error, ",
    "Input should ",
    "Value should ",
    "List should ",
    "Tuple should ",
    "String should ",
)


def in_words(error: ErrorDetails) -> str:
    """Return what is wrong with a field, to be read after its name."""
    if error["type"] in _WHOLE_MESSAGES:
        return _WHOLE_MESSAGES[error["type"]]
    message, _, _ = error["msg"].partition(" after validation")
    for prefix in _PREFIXES:
        if message.startswith(prefix):
            rest = message.removeprefix(prefix)
            return f"must {rest}" if prefix.endswith("should ") else rest
    return message
