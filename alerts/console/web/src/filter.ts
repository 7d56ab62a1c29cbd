// Which products, watched products and events a person wants to see. Pure.

import type { FuseEvent, Product, Watched } from "./api.ts";
import { standing, type Standing } from "./standing.ts";

export interface Filter {
  readonly text: string;
  readonly room: string;
  readonly rule: string;
  readonly state: Standing | "";
}

export const EVERYTHING: Filter = { text: "", room: "", rule: "", state: "" };

export function isEverything(filter: Filter): boolean {
  return !filter.text.trim() && !filter.room && !filter.rule && !filter.state;
}

function holds(text: string, ...fields: (string | null | undefined)[]): boolean {
  const wanted = text.trim().toLocaleLowerCase();
  return !wanted || fields.some((field) => field?.toLocaleLowerCase().includes(wanted));
}

export function matchesProduct(filter: Filter, product: Product): boolean {
  const { fuses, override } = product;
  if (filter.state && standing(product) !== filter.state) return false;
  if (filter.room && product.room_id !== filter.room && !fuses.some((fuse) => fuse.room_id === filter.room)) return false;
  if (filter.rule && !fuses.some((fuse) => fuse.rule === filter.rule)) return false;
  if (!filter.text.trim()) return true;
  const named = fuses.flatMap((fuse) => [fuse.rule, fuse.sku_id, fuse.last?.reason]);
  return holds(filter.text, product.product_id, product.room_id, override?.actor, override?.reason, ...named);
}

export function matchesWatched(filter: Filter, watched: Watched): boolean {
  if (filter.room && watched.room_id !== filter.room) return false;
  if (filter.rule && watched.rule !== filter.rule) return false;
  return holds(filter.text, watched.product_id, watched.sku_id, watched.room_id, watched.rule);
}

export function matchesEvent(filter: Filter, event: FuseEvent): boolean {
  if (filter.room && event.room_id !== filter.room) return false;
  if (filter.rule && event.rule !== filter.rule) return false;
  return holds(filter.text, event.product_id, event.sku_id, event.room_id, event.rule, event.actor, event.reason);
}

/** The values that there are to choose from, sorted; a chosen one stays even where nothing has it any more. */
export function choices(values: Iterable<string | null>, chosen: string): string[] {
  const found = new Set<string>();
  for (const value of values) if (value) found.add(value);
  if (chosen) found.add(chosen);
  return [...found].sort();
}
