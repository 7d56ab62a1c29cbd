import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_EVENTS, leavesOut, lookUp, merge, newest, pausedOf, replace, totalOf } from "../src/store.ts";
import { counts, delta, event, health, product, snapshot } from "./invented.ts";

const p1 = product("p1");
const p2 = product("p2", { sequence: 4 });

test("a snapshot replaces all that was known", () => {
  const before = replace(null, snapshot({ products: [p1], counts: counts({ paused: 1 }) }));
  const after = replace(before, snapshot({ id: "b-1", products: [p2], counts: counts({ paused: 1 }) }));
  assert.deepEqual([...after.products.keys()], ["p2"]);
  assert.equal(after.id, "b-1");
});

test("a product that is gone leaves its sequence behind: an order has to expect it", () => {
  const before = replace(null, snapshot({ products: [p2], counts: counts({ paused: 1 }) }));
  const after = merge(before, delta({ gone: ["p2"], counts: counts(), events: [event("p2", 5, { type: "fuse.closed" })] }));
  assert.equal(after.products.size, 0);
  assert.equal(after.sequences.get("p2"), 5);
  assert.equal(replace(after, snapshot()).sequences.get("p2"), 5);
});

test("what a delta leaves out, or has as null, has not changed and is the same object", () => {
  const before = replace(null, snapshot({ products: [p1, p2], counts: counts({ paused: 4, partly: 2, shadow: 1 }), health: health({ workers: 3 }) }));
  const after = merge(before, delta({ counts: null, watchlist: null, health: null, products: [{ ...p2, sequence: 5 }] }));
  assert.equal(after.counts, before.counts);
  assert.equal(after.health, before.health);
  assert.equal(after.watchlist, before.watchlist);
  assert.equal(after.products.get("p1"), p1);
  assert.equal(after.products.get("p2")?.sequence, 5);
  assert.equal(merge(after, delta()).products, after.products);
});

test("an event that comes twice is listed once, the newest first", () => {
  const before = replace(null, snapshot({ events: [event("p1", 1), event("p1", 2)] }));
  const after = merge(before, delta({ events: [event("p1", 2), event("p1", 3)] }));
  assert.deepEqual(after.events.map(({ sequence }) => sequence), [3, 2, 1]);
  assert.equal(merge(after, delta({ events: [event("p1", 3)] })).events, after.events);
});

test("events are bounded", () => {
  let state = replace(null, snapshot());
  for (let round = 0; round < 8; round += 1) {
    const events = Array.from({ length: 100 }, (_, index) => event("p1", round * 100 + index + 1));
    state = merge(state, delta({ events }));
  }
  assert.equal(state.events.length, MOST_EVENTS);
  assert.equal(state.events[0]?.sequence, 800);
});

test("what is paused is counted with what the stream leaves out", () => {
  const state = replace(null, snapshot({ products: [p1], counts: counts({ paused: 2_900, partly: 100, probation: 7 }) }));
  assert.deepEqual([pausedOf(null), pausedOf(state), totalOf(state)], [0, 3_000, 3_007]);
});

test("a product that the stream leaves out is known by what the console answers of it", () => {
  const state = replace(null, snapshot({ products: [p1], counts: counts({ paused: 2 }) }));
  const detail = { product_id: "p2", sequence: 4, product: p2, watched: [], series: [] };
  assert.equal(leavesOut(state), true);
  assert.equal(lookUp(state, "p2", null), null);
  assert.equal(lookUp(state, "p2", detail), p2);
  // Where all are there an old answer does not bring one back.
  const whole = replace(null, snapshot({ products: [p1], counts: counts({ paused: 1 }) }));
  assert.deepEqual([leavesOut(whole), lookUp(whole, "p2", detail)], [false, null]);
});

test("a refusal that knows more than the stream is believed, and an older one is not", () => {
  const before = replace(null, snapshot({ products: [p1], counts: counts({ paused: 1 }) }));
  assert.equal(newest(before, "p2", p2), p2);
  const gone = merge(before, delta({ events: [event("p2", 5, { type: "fuse.closed" })] }));
  assert.equal(newest(gone, "p2", p2), null);
  assert.equal(newest(before, "p1", { ...p1, sequence: 0 }), p1);
  assert.equal(newest(before, "p1", null), p1);
});
