"""The catalogue: what the shop sells, in which room, in which variants, and how popular each product is."""

from bisect import bisect
from itertools import accumulate, product
from random import Random
from typing import Final, NamedTuple

from deploy.simulator.config import SaleConfig

NOUNS: Final = {
    "apparel": ("hoodie", "dress", "jeans", "sneaker", "scarf"),
    "beauty": ("lipstick", "serum", "mascara", "sunscreen"),
    "food": ("noodles", "honey", "peanut-bar", "green-tea"),
    "electronics": ("earbuds", "charger", "ring-light", "blender"),
    "home": ("towel", "pan", "pillow", "lantern"),
}
CATEGORIES: Final = tuple(NOUNS)

_SIZES: Final = ("S", "M", "L", "XL")
_COLOURS: Final = ("black", "white", "red", "sand", "navy", "mint")
_SHADES: Final = ("rose", "coral", "nude", "plum")

# Zipf's law with a flattened head: the best of 2,000 has 4 % of the sales, the last one five hundredth of that.
_FLATTENING: Final = 4


class Sku(NamedTuple):
    """One variant. `sku_id` is None for the only one of a product without variants."""

    product_id: str
    sku_id: str | None
    category: str
    room_id: str
    safety_stock: int | None = None


class Product(NamedTuple):
    """A product with its variants, at least one."""

    product_id: str
    category: str
    room_id: str
    skus: tuple[Sku, ...]


def make_product(number: int, category: str, rooms: int, rng: Random) -> Product:
    """Return the product of this number; apparel always has variants, food and home never."""
    product_id = f"{rng.choice(NOUNS[category])}-{number:05d}"
    room_id = f"room-{number % rooms + 1}"
    safety_stock = rng.choice((None, None, None, 50, 100, 200))
    names = _variants(category, rng) or (None,)
    skus = (Sku(product_id, name and f"{product_id}-{name}", category, room_id, safety_stock) for name in names)
    return Product(product_id, category, room_id, tuple(skus))


def _variants(category: str, rng: Random) -> tuple[str, ...]:
    if category == "apparel":
        return tuple("-".join(both) for both in product(rng.sample(_COLOURS, 2), _SIZES))
    if category == "beauty" and rng.random() < 0.5:  # noqa: PLR2004
        return tuple(rng.sample(_SHADES, 3))
    if category == "electronics" and rng.random() < 0.3:  # noqa: PLR2004
        return tuple(rng.sample(_COLOURS, 2))
    return ()


class Catalogue:
    """All products that the shop sells all the time, by falling popularity.

    Incidents and traps play with products of their own, which `newcomer` makes: they are in no draw.
    """

    def __init__(self, config: SaleConfig) -> None:
        rng = Random(f"{config.seed}/catalogue")  # noqa: S311 (a sale is made up, nothing depends on its secrecy)
        self._rooms = config.rooms
        self.products = tuple(
            make_product(number, rng.choice(CATEGORIES), config.rooms, rng) for number in range(1, config.products + 1)
        )
        weights = [1 / (rank + _FLATTENING) for rank in range(len(self.products))]
        total = sum(weights)
        self.shares = tuple(weight / total for weight in weights)
        self._bounds = list(accumulate(self.shares))

    def draw(self, rng: Random) -> int:
        """Return the rank of a product, drawn by popularity; 0 is the best seller."""
        return bisect(self._bounds, rng.random(), 0, len(self._bounds) - 1)

    def newcomer(self, number: int, category: str, rng: Random) -> Product:
        """Return the product of this number, counted from 0, after all that have been sold before."""
        return make_product(len(self.products) + 1 + number, category, self._rooms, rng)
