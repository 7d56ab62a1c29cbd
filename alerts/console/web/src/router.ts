// Where the page is. Product ids may hold anything: they are one percent-encoded part of the path.

import { signal } from "@preact/signals";

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

export const place = signal<Place>({ view: "board" });

/** Begin with the address of the page, and follow back and forward. */
export function startRouter(): void {
  const read = (): void => {
    place.value = placeOf(location.pathname);
  };
  read();
  window.addEventListener("popstate", read);
}

export function go(to: Place): void {
  const path = pathOf(to);
  if (path !== location.pathname) history.pushState(null, "", path);
  place.value = to;
}

/** A click on a link that stays in the page; with a modifier it is the browser's. */
export function follows(to: Place): (event: MouseEvent) => void {
  return (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    go(to);
  };
}
