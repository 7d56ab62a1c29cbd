// Orders on their way. What may put something on sale waits five seconds, in which it can be taken back and nobody
// has heard of it. A pause goes out at once, and for five seconds what was before it can be restored.
// Nothing is ever sent a second time by itself. No DOM and no clock of its own, so that tests own the time.

import { Refused, type Action, type BulkResult, type FuseEvent, type Override, type Result } from "./api.ts";
import { ALL, putsOnSale, type Target } from "./effect.ts";

export const HOLD_MS = 5_000;
export const UNDO_MS = 5_000;
/** A held order that is so much too late was overslept: nobody could take it back meanwhile. */
export const LATE_MS = 2_000;
/** How long what came of an order stays to be read. What went wrong stays until it is dismissed. */
export const SHOWN_MS = 6_000;

export interface OrderTarget {
  readonly product_id: string;
  /** What the person saw. */
  readonly expected_sequence: number;
  /** The override that the person saw: what an undo of a pause restores. */
  readonly before: Override | null;
}

export interface Order {
  readonly request_id: string;
  readonly action: Action;
  readonly reason: string;
  /** One product, or with `room` those of a room. */
  readonly targets: readonly OrderTarget[];
  readonly room: string | null;
  /** The room's id as the person typed it. */
  readonly confirm: string | null;
  readonly fuse: Target;
  readonly duration_s: number | null;
  /** The order that this one undoes. */
  readonly undoes: string | null;
}

/**
 * `held`: waits, nobody has heard of it. `sending`: no answer yet. `pending`: written, the event will tell.
 * `done`: answered, `results` say what came of it. `refused`: `refused` says why. `undone`: taken back before it was
 * sent. `not_sent`: what is shown was not current any more when it was due.
 */
export type Stage = "held" | "sending" | "pending" | "done" | "refused" | "undone" | "not_sent";

export interface Entry {
  readonly order: Order;
  readonly stage: Stage;
  /** When a held order goes out, by the host's clock. */
  readonly due: number;
  /** Until when a pause can be undone. */
  readonly undoUntil: number | null;
  readonly results: readonly Result[];
  readonly refused: Refused | null;
}

export interface Host {
  now(): number;
  /** The time of day, milliseconds: it goes on while the machine sleeps, as `now` may not. */
  wall(): number;
  after(ms: number, run: () => void): () => void;
  send(order: Order): Promise<Result | BulkResult>;
  /** Whether what is shown is current, so that something may be put on sale. */
  current(): boolean;
  changed(entries: readonly Entry[]): void;
  requestId(): string;
}

function sequenceAfter(result: Result): number | null {
  const known = [...result.events.map((event) => event.sequence), result.product?.sequence ?? -1];
  const last = Math.max(...known);
  return last < 0 ? null : last;
}

/**
 * The orders that restore what was before a pause: what was not overruled is released, in one order, and what was
 * allowed is allowed again for the rest of its time. `now`: milliseconds, the console's clock.
 */
export function reverse(order: Order, results: readonly Result[], now: number, id: () => string, reason: string): Order[] {
  const released: OrderTarget[] = [];
  const restored: Order[] = [];
  const undo = { ...order, reason, fuse: ALL, undoes: order.request_id };
  for (const target of order.targets) {
    const result = results.find((one) => one.product_id === target.product_id && one.outcome === "applied");
    const expected_sequence = result ? sequenceAfter(result) : null;
    if (expected_sequence === null) continue;
    const { before, product_id } = target;
    const left = before?.until ? Math.ceil((Date.parse(before.until) - now) / 1000) : null;
    const targets = [{ product_id, expected_sequence, before: null }];
    if (before === null || (left !== null && left <= 0)) released.push(...targets);
    else {
      const action = before.state === "paused" ? "pause" : "allow";
      restored.push({ ...undo, request_id: id(), action, targets, room: null, confirm: null, duration_s: left });
    }
  }
  if (released.length) {
    restored.push({ ...undo, request_id: id(), action: "release", targets: released, duration_s: null });
  }
  return restored;
}

export class Orders {
  private entries: readonly Entry[] = [];
  private readonly timers = new Map<string, () => void>();
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  /** Give an order: it waits, or goes out at once. */
  give(order: Order): void {
    const waits = putsOnSale(order.action) && order.undoes === null;
    const due = this.host.now() + (waits ? HOLD_MS : 0);
    const entry: Entry = { order, stage: "held", due, undoUntil: null, results: [], refused: null };
    this.publish([...this.entries.filter((other) => other.order.request_id !== order.request_id), entry]);
    const given = this.host.wall();
    if (waits) this.timer(order.request_id, HOLD_MS, () => this.release(entry, given));
    else void this.dispatch(order.request_id);
  }

  /** Take back an order that waits. */
  undo(id: string): void {
    if (this.find(id)?.stage !== "held") return;
    this.clear(id);
    this.update(id, { stage: "undone" });
    this.forgetLater(id);
  }

  /** Restore what was before a pause. `now`: the console's clock. */
  restore(id: string, now: number, reason: string): void {
    const entry = this.find(id);
    if (!entry?.undoUntil || this.host.now() > entry.undoUntil || !this.host.current()) return;
    const undoes = reverse(entry.order, entry.results, now, this.host.requestId, reason);
    if (undoes.length === 0) return;
    this.dismiss(id);
    for (const order of undoes) this.give(order);
  }

  /** Send an order again of which nobody knows whether it arrived. It is the same order: it is carried out once. */
  again(id: string): void {
    const entry = this.find(id);
    if (entry?.stage !== "refused" || (putsOnSale(entry.order.action) && !this.host.current())) return;
    void this.dispatch(id);
  }

  dismiss(id: string): void {
    if (this.find(id)?.stage === "held") return;
    this.clear(id);
    this.publish(this.entries.filter((entry) => entry.order.request_id !== id));
  }

  /**
   * Look at what the board knows now. An order that waits for a product which has moved on goes out at once: it can
   * only be refused, and the refusal says who was faster and stands in the audit.
   */
  moved(sequences: ReadonlyMap<string, number>): void {
    for (const { order, stage } of this.entries) {
      if (stage !== "held" || order.room !== null) continue;
      const late = order.targets.some((target) => (sequences.get(target.product_id) ?? -1) > target.expected_sequence);
      if (late) void this.dispatch(order.request_id);
    }
  }

  /** Look at events: one may answer an order that is pending. */
  heard(events: readonly FuseEvent[]): void {
    for (const entry of this.entries) {
      if (entry.stage !== "pending") continue;
      const results = entry.results.map((result) => {
        const answers = events.filter((event) => event.cause.command_id === result.command_id);
        if (result.outcome !== "pending" || answers.length === 0) return result;
        const rejected = answers.find((event) => event.type === "command.rejected")?.cause.rejected ?? null;
        const outcome = rejected === null ? ("applied" as const) : ("rejected" as const);
        return { ...result, outcome, rejected, events: answers };
      });
      if (results.some((result, index) => result !== entry.results[index])) {
        this.answered(entry.order.request_id, results);
      }
    }
  }

  private release({ order, due }: Entry, given: number): void {
    const late = Math.max(this.host.now() - due, this.host.wall() - given - HOLD_MS);
    if (late <= LATE_MS && this.host.current()) void this.dispatch(order.request_id);
    else this.update(order.request_id, { stage: "not_sent" });
  }

  private async dispatch(id: string): Promise<void> {
    const entry = this.find(id);
    if (!entry) return;
    this.clear(id);
    this.update(id, { stage: "sending", refused: null });
    try {
      const answer = await this.host.send(entry.order);
      this.answered(id, "results" in answer ? answer.results : [answer]);
    } catch (error) {
      const unknown = new Refused(0, { error: "unreachable", message: String(error) });
      this.refusedWith(id, error instanceof Refused ? error : unknown);
    }
  }

  private refusedWith(id: string, refused: Refused): void {
    const result = refused.refusal.result;
    if (result && result.rejected !== "conflict") this.answered(id, [result]);
    else this.update(id, { stage: "refused", refused });
  }

  private answered(id: string, results: readonly Result[]): void {
    const entry = this.find(id);
    if (!entry) return;
    const pending = results.some((result) => result.outcome === "pending");
    const { action, undoes } = entry.order;
    const undoable = action === "pause" && undoes === null && results.some((result) => result.outcome === "applied");
    const undoUntil = undoable ? this.host.now() + UNDO_MS : null;
    this.update(id, { stage: pending ? "pending" : "done", results, undoUntil });
    if (!pending && results.every((result) => result.outcome === "applied")) this.forgetLater(id);
  }

  private forgetLater(id: string): void {
    this.timer(id, SHOWN_MS, () => this.dismiss(id));
  }

  private timer(id: string, ms: number, run: () => void): void {
    this.clear(id);
    this.timers.set(id, this.host.after(ms, run));
  }

  private clear(id: string): void {
    this.timers.get(id)?.();
    this.timers.delete(id);
  }

  private find(id: string): Entry | undefined {
    return this.entries.find((entry) => entry.order.request_id === id);
  }

  private update(id: string, change: Partial<Entry>): void {
    this.publish(this.entries.map((entry) => (entry.order.request_id === id ? { ...entry, ...change } : entry)));
  }

  private publish(entries: readonly Entry[]): void {
    this.entries = entries;
    this.host.changed(entries);
  }
}
