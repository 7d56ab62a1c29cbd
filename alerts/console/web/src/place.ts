// Where the page is. Product ids may hold anything: they are one percent-encoded part of the path. Pure.

export type Place = { view: "board" } | { view: "product"; id: string } | { view: "audit" };

export function placeOf(path: string): Place {
  if (path.startsWith("/products/")) {
    try {
      const id = decodeURIComponent(path.slice("/products/".length));
      if (id) return { view: "product", id };
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
      return `/products/${encodeURIComponent(place.id)}`;
  }
}
