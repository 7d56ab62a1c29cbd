// The person's desk: which dialog is open, which orders are on their way, and what is sent to the console.

import { batch, computed, signal } from "@preact/signals";
import type { Action, Ask, BulkAsk, BulkResult, Product, ProductDetail, Refusal, Result } from "./api.ts";
import { get, post } from "./api.ts";
import { chosen, filter, mayOrder, session, state, telling, trusted } from "./app.ts";
import { ALL, possible, type Target } from "./effect.ts";
import { EVERYTHING } from "./filter.ts";
import { consoleNow, tick } from "./live.ts";
import { Orders, type Entry, type Order } from "./orders.ts";
import { loadSession } from "./session.ts";
import { unseen } from "./standing.ts";
import { mayPutOnSale } from "./trust.ts";

export type Dialog =
  | { readonly kind: "order"; readonly action: Action; readonly product_id: string | null; readonly saw?: number | undefined }
  | { readonly kind: "bulk"; readonly room: string }
  | { readonly kind: "help" };

const ANSWER_MS = 2_000;

export const dialog = signal<Dialog | null>(null);
export const entries = signal<readonly Entry[]>([]);

/** An order that somebody was faster than; shown once no other dialog is open. */
export interface Conflict {
  readonly order: Order;
  readonly refusal: Refusal | null;
}

export const conflicts = signal<readonly Conflict[]>([]);
export const conflict = computed(() => (dialog.value === null ? (conflicts.value[0] ?? null) : null));

/** Close the dialog that lies on top; tells whether there was one. */
export function closeTop(): boolean {
  const [first] = conflicts.peek();
  if (dialog.peek() !== null) dialog.value = null;
  else if (first) conflicts.value = conflicts.peek().filter((other) => other !== first);
  else return false;
  return true;
}

function askOf(order: Order): Ask | null {
  const [target] = order.targets;
  if (!target || order.room !== null) return null;
  const { request_id, action, reason, duration_s, fuse } = order;
  const { product_id, expected_sequence } = target;
  return { request_id, action, reason, duration_s, product_id, expected_sequence, ...fuse };
}

function send(order: Order): Promise<Result | BulkResult> {
  const csrf = session.value?.csrf ?? null;
  const ask = askOf(order);
  if (ask) return post<Result>("/api/v1/commands", ask, csrf);
  const { request_id, action, reason, duration_s, targets } = order;
  const body: BulkAsk = {
    request_id,
    action,
    reason,
    duration_s,
    targets: targets.map(({ product_id, expected_sequence }) => ({ product_id, expected_sequence })),
    room_id: order.room ?? "",
    confirm: order.confirm ?? "",
  };
  return post<BulkResult>("/api/v1/commands/bulk", body, csrf);
}

const told = new Set<string>();

function changed(after: readonly Entry[]): void {
  entries.value = after;
  for (const { order, refused, results, stage } of after) {
    const late = refused?.refusal.error === "conflict" || results.some((result) => result.rejected === "conflict");
    // Not signed in any more, or in another tab as somebody else.
    const isStranger = refused?.status === 401 || refused?.refusal.error === "csrf";
    if (isStranger && stage === "refused") void loadSession().catch(() => undefined);
    if (!late || order.room !== null || told.has(order.request_id)) continue;
    told.add(order.request_id);
    conflicts.value = [...conflicts.value, { order, refusal: refused?.refusal ?? null }];
  }
}

export const orders = new Orders({
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  send,
  current: () => {
    // How long the console has been silent is known as of the last second; here it has to be known now.
    tick();
    return mayPutOnSale(trusted.peek());
  },
  changed,
  requestId: () => crypto.randomUUID(),
});

/** What the person saw of a product: the sequence that an order expects. */
export function sequenceOf(productId: string): number {
  const known = state.peek();
  return known?.products.get(productId)?.sequence ?? known?.sequences.get(productId) ?? 0;
}

/** The same, asked of the console where the page has never heard of the product. 0: nobody has. */
export async function sequenceToExpect(productId: string): Promise<number> {
  const known = state.peek();
  if (known?.products.has(productId) || known?.sequences.has(productId)) return sequenceOf(productId);
  // A console that hangs must not hold back a pause: it goes out, and stands among the orders, whatever it answers.
  const within = AbortSignal.timeout(ANSWER_MS);
  const detail = await get<ProductDetail>("/api/v1/product", { id: productId }, within).catch(() => null);
  return detail?.sequence ?? 0;
}

export interface Wish {
  readonly action: Action;
  readonly product_id: string;
  readonly expected_sequence: number;
  readonly reason: string;
  readonly fuse: Target;
  readonly duration_s: number | null;
}

export function give(wish: Wish): void {
  const { action, product_id, expected_sequence, reason, fuse, duration_s } = wish;
  orders.give({
    request_id: crypto.randomUUID(),
    action,
    reason,
    targets: [{ product_id, expected_sequence, before: state.peek()?.products.get(product_id)?.override ?? null }],
    room: null,
    confirm: null,
    fuse,
    duration_s,
    undoes: null,
  });
}

export function giveRoom(wish: Omit<Wish, "product_id" | "expected_sequence" | "fuse">, room: string, confirm: string, targets: Order["targets"]): void {
  const { action, reason, duration_s } = wish;
  const request_id = crypto.randomUUID();
  orders.give({ request_id, action, reason, targets, room, confirm, fuse: ALL, duration_s, undoes: null });
}

/** Undo: what waits is taken back, a pause that is done gives way to what was before. */
export function undo(entry: Entry): void {
  const { request_id, reason } = entry.order;
  if (entry.stage === "held") orders.undo(request_id);
  else orders.restore(request_id, consoleNow(), telling.peek().say("undo_reason", { reason }));
}

/** Acknowledge at once: it stops the sound, and what is paused stays so. */
export function acknowledge(product: Product): void {
  if (!mayOrder.peek() || !possible(product).includes("acknowledge")) return;
  const { product_id, sequence } = product;
  const waiting = entries
    .peek()
    .some(({ order, stage }) => order.action === "acknowledge" && stage === "sending" && order.targets[0]?.product_id === product_id);
  if (waiting) return;
  const [only, ...others] = unseen(product);
  const fuse = only && others.length === 0 ? { rule: only.rule, sku_id: only.sku_id } : ALL;
  const reason = telling.peek().say("default_acknowledge");
  give({ action: "acknowledge", product_id, expected_sequence: sequence, reason, fuse, duration_s: null });
}

/** Open the dialog of an order, where that order is possible now. */
export function ask(action: Action, product: Product | null): void {
  if (!mayOrder.peek() || (product && !possible(product).includes(action))) return;
  if (action === "acknowledge" && product) acknowledge(product);
  else dialog.value = { kind: "order", action, product_id: product?.product_id ?? null, saw: product?.sequence };
}

/** Somebody else sits down: what waits is taken back, and nothing stays open. */
export function leaveDesk(): void {
  for (const { order } of entries.peek()) orders.undo(order.request_id);
  for (const { order } of entries.peek()) orders.dismiss(order.request_id);
  batch(() => {
    dialog.value = null;
    conflicts.value = [];
    chosen.value = null;
    filter.value = EVERYTHING;
  });
}
