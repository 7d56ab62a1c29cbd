// Calls attention to what is paused: title, badge of the icon, words for screen readers, alarm.

import { effect, signal } from "@preact/signals";
import { sessionEnded, state, telling, trusted } from "./app.ts";
import type { Product, Severity } from "./api.ts";
import { measured } from "./facts.ts";
import { alarm } from "./sound.ts";
import { newlyPaused, openFuses, ranked, since, unseen } from "./standing.ts";
import { pausedOf, type State } from "./store.ts";

/** What a screen reader says at once, and in its turn. */
export const calls = signal("");
export const asides = signal("");

/** Openings within this time are told together. */
const BUNDLE_MS = 600;
const MOST_NAMED = 3;

let before: ReadonlyMap<string, Product> | null = null;
let bundle = new Map<string, Product>();
let bundling = 0;

function tell(): void {
  bundling = 0;
  const products = [...bundle.values()];
  bundle = new Map();
  const { say } = telling.value;
  const names = products.slice(0, MOST_NAMED).map((product) => product.product_id).join(", ");
  const [first] = products;
  if (!first) return;
  if (products.length === 1) {
    const fuse = openFuses(first).length ? ranked(first)[0] : undefined;
    const why = fuse ? (measured(fuse.cause, fuse.kind, telling.value) ?? fuse.rule) : (first.override?.reason ?? "");
    calls.value = say("called_one", { product: first.product_id, why });
    return;
  }
  const more = products.length - MOST_NAMED;
  const listed = more > 0 ? say("called_more", { products: names, n: more }) : names;
  calls.value = say("called_many", { n: products.length, products: listed });
}

/** Look at a new state: what has just been paused is called out. What was paused before the page came is not. */
export function callOut(after: State): void {
  const fresh = before === null ? [] : newlyPaused(before, after.products);
  before = after.products;
  for (const product of fresh) bundle.set(product.product_id, product);
  if (fresh.length && !bundling) bundling = window.setTimeout(tell, BUNDLE_MS);
}

export function forgetCalls(): void {
  before = null;
  bundle = new Map();
}

function loudest(products: ReadonlyMap<string, Product>): Severity | null {
  let found: Severity | null = null;
  for (const product of products.values()) {
    for (const fuse of unseen(product)) {
      // Somebody took the product in hand after it had opened.
      if (product.override && product.override.since >= since(fuse)) continue;
      const { severity } = fuse;
      if (severity === "critical") return severity;
      if (found !== "warning") found = severity;
    }
  }
  return found;
}

const SIZE = 64;

function badge(count: number, isStale: boolean): string {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const pen = canvas.getContext("2d");
  if (!pen) return "data:,";
  pen.fillStyle = isStale ? "#6b7280" : count ? "#d92632" : "#1f7a54";
  pen.beginPath();
  pen.roundRect(2, 2, SIZE - 4, SIZE - 4, 14);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const text = isStale ? "?" : count > 99 ? "99+" : count ? String(count) : "✓";
  pen.font = `700 ${text.length > 2 ? 28 : 40}px system-ui, sans-serif`;
  pen.fillText(text, SIZE / 2, SIZE / 2 + 3);
  return canvas.toDataURL("image/png");
}

let drawn = "";

function showBadge(count: number, isStale: boolean): void {
  const key = `${count} ${isStale}`;
  if (key === drawn) return;
  drawn = key;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  if (link) link.href = badge(count, isStale);
}

/** Keep title, badge and alarm as the state is. */
export function startAttention(): void {
  effect(() => {
    const known = state.value;
    const isStale = trusted.value === "stale" || trusted.value === "none";
    const paused = pausedOf(known);
    const count = known ? `(${paused}${isStale ? "?" : ""}) ` : "";
    document.title = `${paused || isStale ? count : ""}livefuse`;
    showBadge(paused, isStale);
    alarm(known ? loudest(known.products) : null);
  });
  let wasStale = false;
  effect(() => {
    const isStale = trusted.value === "stale";
    if (isStale && !wasStale && !sessionEnded.value) calls.value = telling.peek().say("called_lost");
    if (!isStale && wasStale && trusted.value !== "none") asides.value = telling.peek().say("called_back");
    wasStale = isStale;
  });
}
