// Single-letter keys. They act on the chosen product, and never while somebody types or a dialog is open.

import { chosen, filter, shortcuts, state } from "./app.ts";
import type { Product } from "./api.ts";
import { acknowledge, ask, conflict, dialog, entries, undo } from "./desk.ts";
import { EVERYTHING, isEverything } from "./filter.ts";
import { go, place } from "./router.ts";
import { choose } from "./views/list.tsx";

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.matches("input, select, textarea") || target.isContentEditable);
}

/** What the keys act on: the product of the page, or the one that has the focus, or the chosen one. */
function subject(): Product | null {
  const products = state.peek()?.products;
  const here = place.peek();
  if (here.view === "product") return products?.get(here.id) ?? null;
  const focused = document.activeElement?.closest<HTMLElement>("[data-testid=product-card]")?.dataset["productId"];
  const id = focused ?? chosen.peek();
  return id ? (products?.get(id) ?? null) : null;
}

function escape(): void {
  const search = document.querySelector<HTMLInputElement>("[data-testid=search]");
  if (place.peek().view !== "board") go({ view: "board" });
  else if (document.activeElement === search) search?.blur();
  else if (!isEverything(filter.peek())) filter.value = EVERYTHING;
  else chosen.value = null;
}

function search(): void {
  go({ view: "board" });
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>("[data-testid=search]")?.focus());
}

const KEYS: Record<string, () => void> = {
  j: () => choose(1),
  k: () => choose(-1),
  "/": search,
  "?": () => (dialog.value = { kind: "help" }),
  p: () => {
    const here = place.peek();
    const product = subject();
    if (product) ask("pause", product);
    else if (here.view === "product") dialog.value = { kind: "order", action: "pause", product_id: here.id };
    else ask("pause", null);
  },
  r: () => {
    const product = subject();
    if (product) ask("resume", product);
  },
  a: () => {
    const product = subject();
    if (product) acknowledge(product);
  },
  u: () => {
    const time = performance.now();
    const last = entries.peek().findLast(({ stage, undoUntil }) => stage === "held" || (undoUntil ?? 0) > time);
    if (last) undo(last);
  },
  Enter: () => {
    const product = subject();
    if (product) go({ view: "product", id: product.product_id });
  },
};

const WALKS: readonly string[] = ["j", "k"];

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (dialog.peek() !== null || conflict.peek() !== null) return; // Dialogs close themselves.
  if (event.key === "Escape") return escape();
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
