// What the page knows: the last snapshot and the deltas since. Pure: each merge returns a new state.

import type { Counts, Delta, FuseEvent, Health, Product, ProductDetail, Snapshot, Watched } from "./api.ts";

export const MOST_EVENTS = 500;

export interface State {
  /** Id of the last message, for Last-Event-ID. */
  readonly id: string;
  /** The console's clock at the last message, milliseconds. */
  readonly now: number;
  readonly products: ReadonlyMap<string, Product>;
  /** How many products stand so, also those that the snapshot left out. */
  readonly counts: Counts;
  readonly watchlist: readonly Watched[];
  /** Newest first. */
  readonly events: readonly FuseEvent[];
  readonly health: Health;
  /** The last known sequence of every product that was heard of, on the board or not. */
  readonly sequences: ReadonlyMap<string, number>;
}

function newestFirst(events: readonly FuseEvent[]): FuseEvent[] {
  return [...events].sort((a, b) =>
    a.occurred_at === b.occurred_at ? b.sequence - a.sequence : a.occurred_at < b.occurred_at ? 1 : -1,
  );
}

function heardOf(
  before: ReadonlyMap<string, number>,
  products: readonly Product[],
  events: readonly FuseEvent[],
): ReadonlyMap<string, number> {
  if (products.length === 0 && events.length === 0) return before;
  const after = new Map(before);
  for (const { product_id, sequence } of [...products, ...events]) {
    if (sequence > (after.get(product_id) ?? -1)) after.set(product_id, sequence);
  }
  return after;
}

/** All that is known, from a snapshot. Of the state before only the sequences stay. */
export function replace(before: State | null, snapshot: Snapshot): State {
  const products = new Map<string, Product>();
  for (const product of snapshot.products) products.set(product.product_id, product);
  return {
    id: snapshot.id,
    now: Date.parse(snapshot.now),
    products,
    counts: snapshot.counts,
    watchlist: snapshot.watchlist,
    events: newestFirst(snapshot.events).slice(0, MOST_EVENTS),
    health: snapshot.health,
    sequences: heardOf(before?.sequences ?? new Map(), snapshot.products, snapshot.events),
  };
}

function withEvents(before: readonly FuseEvent[], fresh: readonly FuseEvent[]): readonly FuseEvent[] {
  if (fresh.length === 0) return before;
  const known = new Set(before.map((event) => event.event_id));
  const added = newestFirst(fresh.filter((event) => !known.has(event.event_id)));
  return added.length === 0 ? before : [...added, ...before].slice(0, MOST_EVENTS);
}

function withProducts(
  before: ReadonlyMap<string, Product>,
  changed: readonly Product[],
  gone: readonly string[],
): ReadonlyMap<string, Product> {
  if (changed.length === 0 && gone.length === 0) return before;
  const after = new Map(before);
  for (const product of changed) after.set(product.product_id, product);
  for (const id of gone) after.delete(id);
  return after;
}

/** The state after a delta. What has not changed keeps its identity, so that nothing of it is drawn again. */
export function merge(state: State, delta: Delta): State {
  return {
    id: delta.id,
    now: Date.parse(delta.now),
    products: withProducts(state.products, delta.products ?? [], delta.gone ?? []),
    counts: delta.counts ?? state.counts,
    watchlist: delta.watchlist ?? state.watchlist,
    events: withEvents(state.events, delta.events ?? []),
    health: delta.health ?? state.health,
    sequences: heardOf(state.sequences, delta.products ?? [], delta.events ?? []),
  };
}

/** How many products there are, also those that the page has not been told of. */
export function totalOf(state: State): number {
  return Object.values(state.counts).reduce((sum, count) => sum + count, 0);
}

/** How many products are paused, in whole or in part, also those that the page has not been told of. */
export function pausedOf(state: State | null): number {
  return state === null ? 0 : state.counts.paused + state.counts.partly;
}

/** Whether there may be products that the page has not been told of: the stream holds only the first ones. */
export function leavesOut(state: State | null): boolean {
  return state !== null && totalOf(state) > state.products.size;
}

/** A product as the newest word has it: the stream's, or that of an answer. Null: on the board there is no such one. */
export function newest(state: State | null, id: string, told: Product | null): Product | null {
  const live = state?.products.get(id) ?? null;
  const heard = live?.sequence ?? state?.sequences.get(id) ?? 0;
  return told !== null && told.sequence > heard ? told : live;
}

/**
 * A product for its own page. `detail` is what the console last answered about it: all there is of one that is left
 * out of the stream.
 */
export function lookUp(state: State | null, id: string, detail: ProductDetail | null): Product | null {
  const live = state?.products.get(id) ?? null;
  return live === null && leavesOut(state) ? (detail?.product ?? null) : live;
}
