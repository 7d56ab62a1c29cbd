// What an order would do to a product, said before it is given. Pure.

import type { Action, Fuse, Product } from "./api.ts";
import { openFuses } from "./standing.ts";

/** What is paused afterwards. `unknown`: the page does not know the product's stock well enough to tell. */
export type Outcome = "paused" | "skus_paused" | "on_sale" | "unchanged";

export interface Effect {
  readonly outcome: Outcome;
  /** SKUs that stay paused. */
  readonly skus: readonly string[];
  /** Fuses that go to probation, or close (over-sell). */
  readonly moved: readonly Fuse[];
  /** Open fuses that keep the product, or SKUs, paused; with `allow` they count again when it ends. */
  readonly left: readonly Fuse[];
  /** The override that keeps it as it is. */
  readonly held: "paused" | "allowed" | null;
}

/** Which of the open fuses an order means. */
export interface Target {
  readonly rule: string | null;
  readonly sku_id: string | null;
}

export const ALL: Target = { rule: null, sku_id: null };

function means(target: Target, product: Product, fuse: Fuse): boolean {
  if (target.rule !== null && fuse.rule !== target.rule) return false;
  if (target.sku_id === null || fuse.sku_id === target.sku_id) return true;
  return fuse.sku_id === null && target.sku_id === product.product_id;
}

function byFuses(left: readonly Fuse[]): Pick<Effect, "outcome" | "skus"> {
  if (left.some((fuse) => fuse.sku_id === null)) return { outcome: "paused", skus: [] };
  const skus = left.flatMap((fuse) => (fuse.sku_id === null ? [] : [fuse.sku_id]));
  return skus.length ? { outcome: "skus_paused", skus } : { outcome: "on_sale", skus: [] };
}

/** The effect of an order on a product as it is known now; null: a product of which nothing is known. */
export function effect(action: Action, product: Product | null, target: Target = ALL): Effect {
  const open = product ? openFuses(product) : [];
  const held = product?.override?.state ?? null;
  switch (action) {
    case "pause":
      return { outcome: "paused", skus: [], moved: [], left: [], held: null };
    case "allow":
      return { outcome: "on_sale", skus: [], moved: [], left: open, held: null };
    case "release":
      return { ...byFuses(open), moved: [], left: open, held: null };
    case "acknowledge":
      return { outcome: "unchanged", skus: [], moved: [], left: open, held };
    case "resume": {
      const all = product?.fuses.filter((fuse) => fuse.state === "open") ?? [];
      const moved = all.filter((fuse) => product && means(target, product, fuse));
      const left = open.filter((fuse) => !moved.includes(fuse));
      if (held === "paused") return { outcome: "paused", skus: [], moved, left, held };
      if (held === "allowed") return { outcome: "on_sale", skus: [], moved, left, held };
      return { ...byFuses(left), moved, left, held: null };
    }
  }
}

/** Orders that may put something on sale: they wait before they are sent, and need what is shown to be current. */
export function putsOnSale(action: Action): boolean {
  return action === "resume" || action === "allow" || action === "release";
}

/** What may be ordered for a product as it is now. */
export function possible(product: Product | null): Action[] {
  const actions: Action[] = [];
  if (!product) return ["pause"];
  const open = product.fuses.filter((fuse) => fuse.state === "open");
  if (open.length) actions.push("resume");
  if (product.override) actions.push("release");
  if (product.override?.state !== "paused") actions.push("pause");
  if (product.override?.state !== "allowed") actions.push("allow");
  if (open.some((fuse) => fuse.acknowledged_by === null)) actions.push("acknowledge");
  return actions;
}
