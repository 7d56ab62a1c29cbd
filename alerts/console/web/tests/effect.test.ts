import assert from "node:assert/strict";
import { test } from "node:test";
import type { Override } from "../src/api.ts";
import { ALL, effect, possible, putsOnSale } from "../src/effect.ts";
import { at, fuse, product } from "./invented.ts";

const word = (state: "paused" | "allowed"): Override => ({ state, until: null, actor: "mei", reason: "so", since: at(5) });
const surge = fuse();
const returns = fuse({ rule: "return-spike", kind: "return_spike" });
const red = fuse({ rule: "oversell", kind: "oversell", sku_id: "red" });

test("resuming all open fuses puts the product on sale", () => {
  const done = effect("resume", product("p", { fuses: [surge, returns] }));
  assert.equal(done.outcome, "on_sale");
  assert.equal(done.moved.length, 2);
});

test("resuming one of two fuses leaves it paused, and says by which", () => {
  const done = effect("resume", product("p", { fuses: [surge, returns] }), { rule: surge.rule, sku_id: null });
  assert.equal(done.outcome, "paused");
  assert.deepEqual(done.left, [returns]);
});

test("a SKU's fuse that stays open keeps that SKU paused", () => {
  const done = effect("resume", product("p", { fuses: [surge, red] }), { rule: surge.rule, sku_id: null });
  assert.deepEqual([done.outcome, done.skus], ["skus_paused", ["red"]]);
});

test("a pause by hand outlasts a resume", () => {
  const done = effect("resume", product("p", { override: word("paused") }));
  assert.deepEqual([done.outcome, done.held], ["paused", "paused"]);
});

test("releasing an allowance lets open fuses pause again", () => {
  const done = effect("release", product("p", { override: word("allowed"), paused: { product: false, skus: [] } }));
  assert.equal(done.outcome, "paused");
  assert.equal(effect("release", product("p", { override: word("paused"), fuses: [] })).outcome, "on_sale");
});

test("allow is on sale whatever is open; pause is paused, known or not; acknowledge changes nothing", () => {
  assert.equal(effect("allow", product("p", { fuses: [surge] })).outcome, "on_sale");
  assert.equal(effect("pause", null, ALL).outcome, "paused");
  assert.equal(effect("acknowledge", product("p")).outcome, "unchanged");
});

test("only what is possible is offered", () => {
  assert.deepEqual(possible(null), ["pause"]);
  assert.deepEqual(possible(product("p")), ["resume", "pause", "allow", "acknowledge"]);
  const seen = product("p", { fuses: [fuse({ acknowledged_by: "mei" })], override: word("paused") });
  assert.deepEqual(possible(seen), ["resume", "release", "allow"]);
  assert.deepEqual(possible(product("p", { fuses: [], override: word("allowed") })), ["release", "pause"]);
});

test("what may put something on sale", () => {
  assert.deepEqual((["pause", "allow", "release", "resume", "acknowledge"] as const).filter(putsOnSale), [
    "allow",
    "release",
    "resume",
  ]);
});
