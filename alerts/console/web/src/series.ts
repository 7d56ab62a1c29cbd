// The last hour of products that are in sight, asked for a few at a time and again while they stay.

import { signal, type Signal } from "@preact/signals";
import { get, type ProductDetail } from "./api.ts";

const AT_ONCE = 3;
const AGAIN_MS = 30_000;

interface Sight {
  readonly detail: Signal<ProductDetail | null>;
  watchers: number;
  asked: number;
  sequence: number;
}

const sights = new Map<string, Sight>();
const queue = new Set<string>();
let asking = 0;

async function load(id: string): Promise<void> {
  const sight = sights.get(id);
  if (!sight) return;
  asking += 1;
  try {
    sight.detail.value = await get<ProductDetail>("/api/v1/product", { id });
  } catch {
    // A chart may be missing for a while; what is paused does not depend on it.
  } finally {
    asking -= 1;
    next();
  }
}

function next(): void {
  while (asking < AT_ONCE) {
    const [id] = queue;
    if (id === undefined) return;
    queue.delete(id);
    void load(id);
  }
}

/** Have the hour of a product in sight; returns how to look away. */
export function watch(id: string, sequence: number): () => void {
  const sight = sightOf(id);
  sight.watchers += 1;
  refresh(id, sequence);
  return () => {
    sight.watchers -= 1;
    if (sight.watchers === 0) {
      queue.delete(id);
      sights.delete(id);
    }
  };
}

/** Ask again where the product has moved on, or some time has passed. */
export function refresh(id: string, sequence: number): void {
  const sight = sights.get(id);
  if (!sight) return;
  const age = performance.now() - sight.asked;
  if (age < 3_000 || (sequence === sight.sequence && age < AGAIN_MS)) return;
  sight.asked = performance.now();
  sight.sequence = sequence;
  queue.add(id);
  next();
}

function sightOf(id: string): Sight {
  let sight = sights.get(id);
  if (!sight) {
    sight = { detail: signal(null), watchers: 0, asked: -AGAIN_MS, sequence: -1 };
    sights.set(id, sight);
  }
  return sight;
}

export function detailOf(id: string): Signal<ProductDetail | null> {
  return sightOf(id).detail;
}
