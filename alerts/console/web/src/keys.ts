// Single-letter keys. They act on the chosen product where it can be seen, and never while somebody types or a dialog
// is open. What a key does is done when it returns: the next one, however soon it comes, finds it so.

import { chosen, filter, panel, shortcuts, state } from "./app.ts";
import type { Product } from "./api.ts";
import { acknowledge, ask, closeTop, conflict, dialog, entries, undo } from "./desk.ts";
import { EVERYTHING, isEverything } from "./filter.ts";
import { go, place } from "./router.ts";
import { detailOf } from "./series.ts";
import { lookUp } from "./store.ts";
import { choose, isInSight, listed, reveal, soon } from "./views/list.tsx";

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.matches("input, select, textarea") || target.isContentEditable);
}

/** What the keys act on: the product of the page, or the chosen one; null where the filter hides it. */
function subject(): Product | null {
  const here = place.peek();
  if (here.view === "product") return lookUp(state.peek(), here.id, detailOf(here.id).peek());
  const id = chosen.peek();
  return here.view === "board" && id !== null ? listed(id) : null;
}

/** Do something with the product that the keys act on. One that is out of sight is only shown: the next press counts. */
function withSubject(act: (product: Product) => void, otherwise: () => void = () => undefined): void {
  const product = subject();
  if (product === null) otherwise();
  else if (place.peek().view === "product" || isInSight(product.product_id)) act(product);
  else {
    panel.value = "paused";
    reveal(product.product_id);
  }
}

function escape(): void {
  if (closeTop()) return;
  const search = document.querySelector<HTMLInputElement>("[data-testid=search]");
  if (place.peek().view !== "board") go({ view: "board" });
  else if (document.activeElement === search) search?.blur();
  else if (!isEverything(filter.peek())) filter.value = EVERYTHING;
  else chosen.value = null;
}

function search(): void {
  go({ view: "board" });
  panel.value = "paused";
  soon(() => document.querySelector<HTMLInputElement>("[data-testid=search]"), (field) => field.focus());
}

function pauseAny(): void {
  const here = place.peek();
  if (here.view === "product") dialog.value = { kind: "order", action: "pause", product_id: here.id };
  else ask("pause", null);
}

const KEYS: Record<string, () => void> = {
  j: () => choose(1),
  k: () => choose(-1),
  "/": search,
  "?": () => (dialog.value = { kind: "help" }),
  p: () => withSubject((product) => ask("pause", product), pauseAny),
  r: () => withSubject((product) => ask("resume", product)),
  a: () => withSubject(acknowledge),
  u: () => {
    const time = performance.now();
    const last = entries.peek().findLast(({ stage, undoUntil }) => stage === "held" || (undoUntil ?? 0) > time);
    if (last) undo(last);
  },
  Enter: () => withSubject(({ product_id }) => go({ view: "product", id: product_id })),
};

const WALKS: readonly string[] = ["j", "k"];

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    // The browser would close the dialog in its own way. One that is held down closes one thing.
    event.preventDefault();
    if (!event.repeat) escape();
    return;
  }
  if (dialog.peek() !== null || conflict.peek() !== null) return;
  if (isTyping(event.target) || !shortcuts.peek()) return;
  if (event.key === "Enter" && !(event.target instanceof HTMLElement && event.target.matches("body, article"))) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  // A key that is held down walks along the list, and does everything else once: the next undo is another order's.
  if (event.repeat && !WALKS.includes(event.key)) return;
  act();
}

export function startKeys(): void {
  window.addEventListener("keydown", pressed);
}
