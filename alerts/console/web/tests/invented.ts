// Invented products, events and messages for tests.

import type { Counts, Delta, Fuse, FuseEvent, Health, Product, Snapshot } from "../src/api.ts";

export const T0 = Date.parse("2026-11-11T12:00:00.000Z");

export function at(seconds: number): string {
  return new Date(T0 + seconds * 1000).toISOString();
}

export function fuse(change: Partial<Fuse> = {}): Fuse {
  return {
    rule: "complaint-surge",
    kind: "complaint_surge",
    sku_id: null,
    state: "open",
    epoch: 1,
    shadow: false,
    severity: "warning",
    since: at(0),
    due: null,
    acknowledged_by: null,
    cause: { measured: 51, limit: 50, window_s: 3600, evidence: ["c1", "c2"] },
    opened_at: at(0),
    room_id: "r1",
    last: null,
    ...change,
  };
}

export function product(id: string, change: Partial<Product> = {}): Product {
  return {
    product_id: id,
    room_id: "r1",
    sequence: 1,
    sure: true,
    paused: { product: true, skus: [] },
    override: null,
    fuses: [fuse()],
    last: null,
    ...change,
  };
}

export function event(id: string, sequence: number, change: Partial<FuseEvent> = {}): FuseEvent {
  return {
    event_id: `${id} ${sequence}`,
    sequence,
    type: "fuse.opened",
    product_id: id,
    sku_id: null,
    room_id: "r1",
    rule: "complaint-surge",
    rule_version: 1,
    from: "closed",
    to: "open",
    epoch: 1,
    shadow: false,
    severity: "warning",
    occurred_at: at(sequence),
    actor: "rule",
    reason: null,
    paused: { product: true, skus: [] },
    cause: { measured: 51, limit: 50, window_s: 3600 },
    ...change,
  };
}

export function health(change: Partial<Health> = {}): Health {
  return {
    heard_at: at(0),
    looked_at: at(0),
    intakes: 1,
    workers: 1,
    intake_lag: 0,
    worker_lag: 0,
    behind_s: 0,
    inputs: [],
    problems: [],
    ...change,
  };
}

export function counts(change: Partial<Counts> = {}): Counts {
  return { paused: 0, partly: 0, allowed: 0, open: 0, probation: 0, shadow: 0, ...change };
}

export function snapshot(change: Partial<Snapshot> = {}): Snapshot {
  return { id: "a-1", now: at(10), products: [], counts: counts(), watchlist: [], events: [], health: health(), ...change };
}

export function delta(change: Partial<Delta> = {}): Delta {
  return { id: "a-2", now: at(11), ...change };
}
