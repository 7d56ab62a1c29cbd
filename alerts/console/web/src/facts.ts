// What a fuse, an event or a product's last change says, in sentences. Pure.

import type { Cause, Fuse, FuseEvent, Kind, LastChange, Product } from "./api.ts";
import { clock, duration, moment, number, percent, type Language } from "./format.ts";
import { standing } from "./standing.ts";
import { sayCode, type Key, type Say } from "./words/say.ts";

/** How to tell: in which words, and in which zone. */
export interface Telling {
  readonly say: Say;
  readonly language: Language;
  readonly zone: string;
}

/** The kind of a rule, where only its cause is known. */
export function kindOf(cause: Cause): Kind | null {
  if (cause.measured === undefined) return null;
  if (cause.k !== undefined || cause.b !== undefined) return "return_spike";
  if (cause.level !== undefined || cause.on_hand !== undefined) return "oversell";
  return cause.window_s === undefined ? null : "complaint_surge";
}

/** A measured value or limit as its kind writes it. */
export function quantity(value: number, kind: Kind | null, language: Language): string {
  return kind === "return_spike" ? percent(value) : number(value, language);
}

/** What was measured, against which limit, in which window. Null where the cause tells no such thing. */
export function measured(cause: Cause, kind: Kind | null, { say, language }: Telling): string | null {
  if (cause.measured === undefined || cause.limit === undefined) return null;
  const values = {
    measured: quantity(cause.measured, kind, language),
    limit: quantity(cause.limit, kind, language),
    window: duration(cause.window_s ?? 0, language),
    sold: number(cause.N ?? 0, language),
  };
  switch (kind) {
    case "complaint_surge":
      return say("complaints_sentence", values);
    case "return_spike":
      return say("returns_sentence", values);
    case "oversell":
      return say(cause.measured <= 0 ? "oversell_sold_out" : "oversell_sentence", values);
    case null:
      return say("other_sentence", values);
  }
}

/** On how much that stands. */
export function sample(cause: Cause, kind: Kind | null, { say, language, zone }: Telling): string | null {
  switch (kind) {
    case "complaint_surge":
      return cause.measured === undefined ? null : say("complaints_sample", { n: cause.measured });
    case "return_spike":
      if (cause.R === undefined || cause.k === undefined) return null;
      return say("returns_sample", {
        units: number(cause.R, language),
        returns: number(cause.k, language),
        worst: percent(cause.b ?? 0),
      });
    case "oversell": {
      if (cause.on_hand === undefined || cause.as_of === undefined) return null;
      const values = { on_hand: number(cause.on_hand, language), time: clock(Date.parse(cause.as_of), zone) };
      if (!cause.rate) return say("oversell_sample_slow", values);
      return say("oversell_sample", { ...values, rate: number(cause.rate, language) });
    }
    case null:
      return null;
  }
}

/** Who did it: `operator:mei` is mei. */
export function who(actor: string, say: Say): string {
  return actor.startsWith("operator:") ? actor.slice("operator:".length) : sayCode(say, "actor_", actor);
}

/** When a fuse leaves its state by itself, or for whom it waits. `now`: milliseconds. */
export function recovery(fuse: Fuse, now: number, mayOrder: boolean, { say, language }: Telling): string {
  if (fuse.due !== null) {
    const left = (Date.parse(fuse.due) - now) / 1000;
    if (left <= 0) return say("recovers_due");
    return say(fuse.state === "probation" ? "closes_in" : "recovers_in", { age: duration(left, language) });
  }
  if (fuse.kind === "oversell") return say("recovers_stock");
  return say(mayOrder ? "waits_for_you" : "waits_for_operator");
}

const TYPES: Record<FuseEvent["type"], Key> = {
  "fuse.opened": "type_opened",
  "fuse.acknowledged": "type_acknowledged",
  "fuse.probation": "type_probation",
  "fuse.closed": "type_closed",
  "override.set": "type_set_paused",
  "override.cleared": "type_cleared",
  "command.rejected": "type_rejected",
};

export function happened(event: Pick<FuseEvent, "type"> & { cause?: Cause }, say: Say): string {
  if (event.type === "override.set" && event.cause?.action === "allow") return say("type_set_allowed");
  return say(TYPES[event.type]);
}

/** What an event says beside its kind: measured, or why an order changed nothing. */
export function because(event: FuseEvent, telling: Telling): string | null {
  if (event.cause.rejected) return sayCode(telling.say, "rejected_", event.cause.rejected);
  return measured(event.cause, kindOf(event.cause), telling);
}

/** The last change in one line: what, who, when, why. `now`: milliseconds. */
export function lastChange(last: LastChange, now: number, { say, zone }: Telling): string {
  const parts = [happened(last, say), who(last.actor, say), moment(Date.parse(last.occurred_at), now, zone)];
  if (last.reason) parts.push(say("reason_is", { reason: last.reason }));
  return parts.join(" · ");
}

export function standingWord(product: Product, say: Say): string {
  return say(`standing_${standing(product)}`);
}

/** The rules of fuses, each once. */
export function rulesOf(fuses: readonly Fuse[]): string {
  const names = fuses.map((fuse) => (fuse.sku_id ? `${fuse.rule} (${fuse.sku_id})` : fuse.rule));
  return [...new Set(names)].join(", ");
}
