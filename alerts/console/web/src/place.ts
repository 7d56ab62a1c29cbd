// Where the page is. Product ids may hold anything: they are one percent-encoded part of the path, but for `.` and `..`,
// which no path can end with: they stand in the query. Pure.

export type Place = { view: "board" } | { view: "product"; id: string } | { view: "audit" };

const PRODUCTS = "/products/";

/** Where an address leads: a path, with the query if it has one. */
export function placeOf(address: string): Place {
  const [path = "", query = ""] = address.split("?", 2);
  if (path === PRODUCTS) {
    const id = new URLSearchParams(query).get("id");
    if (id) return { view: "product", id };
  } else if (path.startsWith(PRODUCTS)) {
    try {
      return { view: "product", id: decodeURIComponent(path.slice(PRODUCTS.length)) };
    } catch {
      return { view: "board" };
    }
  }
  return path === "/audit" ? { view: "audit" } : { view: "board" };
}

export function pathOf(place: Place): string {
  switch (place.view) {
    case "board":
      return "/";
    case "audit":
      return "/audit";
    case "product":
      return place.id === "." || place.id === ".." ? `${PRODUCTS}?id=${place.id}` : PRODUCTS + encodeURIComponent(place.id);
  }
}
