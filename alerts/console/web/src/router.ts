// Where the page is, and how it goes elsewhere.

import { signal } from "@preact/signals";
import { pathOf, placeOf, type Place } from "./place.ts";

export { pathOf, type Place } from "./place.ts";

export const place = signal<Place>({ view: "board" });

/** Begin with the address of the page, and follow back and forward. */
export function startRouter(): void {
  const read = (): void => {
    place.value = placeOf(location.pathname + location.search);
  };
  read();
  window.addEventListener("popstate", read);
}

export function go(to: Place): void {
  const path = pathOf(to);
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
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
