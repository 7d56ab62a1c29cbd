// How a product stands, and in which order products are shown. Pure.

import type { Fuse, Product, Severity } from "./api.ts";

/** `open`: a fuse is open, and yet nothing is paused; seldom, and not for long. */
export type Standing = "paused" | "partly" | "allowed" | "open" | "probation" | "shadow";

/** In the order in which they are shown. */
export const STANDINGS: readonly Standing[] = ["paused", "partly", "allowed", "open", "probation", "shadow"];

const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

export function isPaused(product: Product): boolean {
  return product.paused.product || product.paused.skus.length > 0;
}

export function standing(product: Product): Standing {
  if (product.paused.product) return "paused";
  if (product.paused.skus.length > 0) return "partly";
  if (product.override?.state === "allowed") return "allowed";
  const enforced = product.fuses.filter((fuse) => !fuse.shadow);
  if (enforced.some((fuse) => fuse.state === "open")) return "open";
  if (enforced.some((fuse) => fuse.state === "probation")) return "probation";
  return product.fuses.length ? "shadow" : "open";
}

/** Fuses that are open and pause something, or would if nobody had allowed the product. */
export function openFuses(product: Product): Fuse[] {
  return product.fuses.filter((fuse) => fuse.state === "open" && !fuse.shadow);
}

/** Open fuses that nobody has acknowledged: they sound, and escalate. */
export function unseen(product: Product): Fuse[] {
  return openFuses(product).filter((fuse) => fuse.acknowledged_by === null);
}

export function since(fuse: Fuse): string {
  return fuse.opened_at ?? fuse.since;
}

function weight(fuse: Fuse): number {
  const state = fuse.state === "open" ? 0 : 10;
  return (fuse.shadow ? 100 : 0) + state + SEVERITIES.indexOf(fuse.severity);
}

/** The fuses, the one that matters most first: open before probation, critical first, the newest first. */
export function ranked(product: Product): Fuse[] {
  return [...product.fuses].sort((a, b) => weight(a) - weight(b) || (since(a) < since(b) ? 1 : -1));
}

/** The severity that a product is shown with. An operator's pause is a warning: nobody has to be alarmed by it. */
export function severity(product: Product): Severity {
  return ranked(product)[0]?.severity ?? "warning";
}

interface Rank {
  readonly standing: number;
  readonly severity: number;
  readonly newest: string;
}

function newest(product: Product): string {
  const times = product.fuses.filter((fuse) => fuse.state !== "closed").map(since);
  if (product.override) times.push(product.override.since);
  return times.reduce((a, b) => (a > b ? a : b), "");
}

// A product is immutable, and sorting asks for its rank many times.
const ranks = new WeakMap<Product, Rank>();

function rank(product: Product): Rank {
  let found = ranks.get(product);
  if (!found) {
    const place = STANDINGS.indexOf(standing(product));
    found = { standing: place, severity: SEVERITIES.indexOf(severity(product)), newest: newest(product) };
    ranks.set(product, found);
  }
  return found;
}

/** Paused first, then by severity, then the newest first. */
export function order(a: Product, b: Product): number {
  const [x, y] = [rank(a), rank(b)];
  if (x.standing !== y.standing) return x.standing - y.standing;
  if (x.severity !== y.severity) return x.severity - y.severity;
  if (x.newest !== y.newest) return x.newest < y.newest ? 1 : -1;
  return a.product_id < b.product_id ? -1 : 1;
}

/** Products that are paused now and were not before: what has to be called out. */
export function newlyPaused(
  before: ReadonlyMap<string, Product>,
  after: ReadonlyMap<string, Product>,
): Product[] {
  if (before === after) return [];
  const found: Product[] = [];
  for (const [id, product] of after) {
    const known = before.get(id);
    if (product === known || !isPaused(product)) continue;
    const skus = known?.paused.skus ?? [];
    const more = product.paused.product ? !known?.paused.product : product.paused.skus.some((sku) => !skus.includes(sku));
    if (more) found.push(product);
  }
  return found.sort(order);
}
