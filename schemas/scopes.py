"""Where a rule, or an override of its limits, holds: in which rooms, for which products and product categories.

All kinds of scope that are named must hold together (docs/semantics.md, 8). A product whose room or category is not
known is in none.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, model_validator

from schemas.ids import Id
from schemas.limits import FROZEN, distinct, listed

Scope = Annotated[tuple[Id, ...], BeforeValidator(listed), AfterValidator(distinct)]

SCOPES: Final = {"product": "products", "room": "rooms", "category": "categories"}


class Match(BaseModel):
    """Where a rule or an override holds. An empty tuple says: anywhere."""

    model_config = FROZEN

    rooms: Scope = ()
    products: Scope = ()
    categories: Scope = ()

    @model_validator(mode="before")
    @classmethod
    def _read_singular_keys(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        both = [f"{one} and {many}" for one, many in SCOPES.items() if one in data and many in data]
        if both:
            raise ValueError(f"has both {both[0]}: keep one")
        return {SCOPES.get(key, key): value for key, value in data.items()}

    @cached_property
    def names_nothing(self) -> bool:
        """Whether it holds everywhere."""
        return not (self.rooms or self.products or self.categories)

    @cached_property
    def rank(self) -> int:
        """How specific it is: a product outweighs a room, and that a category."""
        return 4 * bool(self.products) + 2 * bool(self.rooms) + bool(self.categories)

    @cached_property
    def members(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Products, rooms and categories, for looking up."""
        return frozenset(self.products), frozenset(self.rooms), frozenset(self.categories)

    def holds(self, product_id: str, room_id: str | None, category: str | None) -> bool:
        """Tell whether a product in this room and of this category is meant."""
        if self.names_nothing:
            return True
        products, rooms, categories = self.members
        return (
            (not products or product_id in products)
            and (not rooms or room_id in rooms)
            and (not categories or category in categories)
        )

    def meets(self, other: "Match") -> bool:
        """Tell whether some product may be meant by both."""
        pairs = zip(self.members, other.members, strict=True)
        return all(not mine or not theirs or mine & theirs for mine, theirs in pairs)
