import assert from "node:assert/strict";
import { test } from "node:test";
import type { Override, Product } from "../src/api.ts";
import { newlyPaused, order, ranked, standing, unseen } from "../src/standing.ts";
import { at, fuse, product } from "./invented.ts";

const none = { product: false, skus: [] };
const word = (state: "paused" | "allowed"): Override => ({ state, until: null, actor: "mei", reason: "so", since: at(5) });

test("what is paused is what `paused` says, whatever fuses and overrides say", () => {
  assert.equal(standing(product("p", { override: word("allowed") })), "paused");
  assert.equal(standing(product("p", { paused: { product: false, skus: ["red"] } })), "partly");
  assert.equal(standing(product("p", { paused: none, override: word("allowed") })), "allowed");
  assert.equal(standing(product("p", { paused: none })), "open");
  assert.equal(standing(product("p", { paused: none, fuses: [fuse({ state: "probation" })] })), "probation");
  assert.equal(standing(product("p", { paused: none, fuses: [fuse({ shadow: true })] })), "shadow");
});

test("paused first, then critical before warning, then the newest", () => {
  const older = product("older", { fuses: [fuse({ opened_at: at(1) })] });
  const newer = product("newer", { fuses: [fuse({ opened_at: at(2) })] });
  const critical = product("critical", { fuses: [fuse({ severity: "critical", opened_at: at(0) })] });
  const partly = product("partly", { paused: { product: false, skus: ["red"] }, fuses: [fuse({ severity: "critical" })] });
  const sorted = [older, partly, newer, critical].sort(order).map((one) => one.product_id);
  assert.deepEqual(sorted, ["critical", "newer", "older", "partly"]);
});

test("of several fuses the open, critical one is told first, shadow last", () => {
  const fuses = [
    fuse({ rule: "shadow", shadow: true, severity: "critical" }),
    fuse({ rule: "probation", state: "probation", severity: "critical" }),
    fuse({ rule: "warning" }),
    fuse({ rule: "critical", severity: "critical" }),
  ];
  const rules = ranked(product("p", { fuses })).map(({ rule }) => rule);
  assert.deepEqual(rules, ["critical", "warning", "probation", "shadow"]);
});

test("only open fuses that nobody has acknowledged, and that pause something, sound", () => {
  const fuses = [fuse({ acknowledged_by: "mei" }), fuse({ shadow: true }), fuse({ state: "probation" }), fuse({ rule: "new" })];
  assert.deepEqual(unseen(product("p", { fuses })).map(({ rule }) => rule), ["new"]);
});

test("what is called out: newly paused products and SKUs, and nothing twice", () => {
  const map = (...products: Product[]): Map<string, Product> => new Map(products.map((one) => [one.product_id, one]));
  const free = product("free", { paused: none });
  const red = product("some", { paused: { product: false, skus: ["red"] } });
  const before = map(product("old"), free, red);
  const after = map(
    product("old", { sequence: 2 }),
    product("free", { sequence: 2 }),
    product("some", { sequence: 2, paused: { product: false, skus: ["blue", "red"] } }),
    product("new"),
  );
  assert.deepEqual(newlyPaused(before, after).map((one) => one.product_id).sort(), ["free", "new", "some"]);
  assert.deepEqual(newlyPaused(after, after), []);
  assert.deepEqual(newlyPaused(after, before), []);
});
