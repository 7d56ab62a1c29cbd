import assert from "node:assert/strict";
import { test } from "node:test";
import { choices, EVERYTHING, isEverything, matchesEvent, matchesProduct } from "../src/filter.ts";
import { kindOf, measured, recovery, sample, who, type Telling } from "../src/facts.ts";
import { pathOf, placeOf } from "../src/place.ts";
import { parser } from "../src/sse.ts";
import { DEAF_MS, mayPutOnSale, SILENCE_MS, trust } from "../src/trust.ts";
import { sayIn } from "../src/words/say.ts";
import { T0, at, event, fuse, health, product } from "./invented.ts";

const telling: Telling = { say: sayIn("en"), language: "en", zone: "UTC" };
const problem = (code: "broker_away" | "behind" | "audit_unavailable") => health({ problems: [{ code, since: at(0), text: "" }] });

test("silence, a cut line and a broker that is away all make it stale", () => {
  assert.equal(trust("open", 0, null, T0), "none");
  assert.equal(trust("open", 0, health(), T0), "live");
  assert.equal(trust("open", SILENCE_MS + 1, health(), T0), "stale");
  assert.equal(trust("lost", 0, health(), T0), "stale");
  assert.equal(trust("starting", 0, health(), T0), "stale");
  assert.equal(trust("open", 0, problem("broker_away"), T0), "stale");
  assert.equal(trust("open", 0, health({ heard_at: at(0) }), T0 + DEAF_MS), "live");
  assert.equal(trust("open", 0, health({ heard_at: at(0) }), T0 + DEAF_MS + 1), "stale");
  assert.equal(trust("open", 0, health({ heard_at: null }), T0), "stale");
  assert.equal(trust("open", 0, problem("behind"), T0), "doubtful");
  assert.equal(trust("open", 0, problem("audit_unavailable"), T0), "live");
});

test("nothing is put on sale on the strength of old data", () => {
  assert.deepEqual((["none", "stale", "doubtful", "live"] as const).filter(mayPutOnSale), ["doubtful", "live"]);
});

test("messages are read out of any pieces", () => {
  const text = "retry: 1000\n\nid: a-1\nevent: snapshot\ndata: {\"x\":\ndata: 1}\n\n: comment\nevent: ping\ndata: {}\r\n\r\n";
  const expected = [
    { event: "snapshot", data: '{"x":\n1}', id: "a-1" },
    { event: "ping", data: "{}", id: null },
  ];
  assert.deepEqual(parser()(text), expected);
  const parse = parser();
  assert.deepEqual([...text].flatMap((letter) => parse(letter)), expected);
});

test("a product id of any kind has an address, which browsers leave as it is", () => {
  for (const id of ["p42", "a/b?c=d&e%20#f", "<b>\"'", "商品 12345", "../../etc", "%", ".", "..", "...", "?id=.."]) {
    const path = pathOf({ view: "product", id });
    const { pathname, search } = new URL(path, "http://x");
    assert.equal(pathname + search, path);
    assert.deepEqual(placeOf(path), { view: "product", id });
  }
  assert.deepEqual(placeOf("/products/%E0%A4%A"), { view: "board" });
  assert.deepEqual(placeOf("/products/?id="), { view: "board" });
  assert.deepEqual(placeOf("/audit"), { view: "audit" });
});

test("filters by text, room, rule and state", () => {
  const one = product("Silk-Scarf", { fuses: [fuse({ rule: "oversell", sku_id: "Red", room_id: "r9" })] });
  assert.ok(isEverything(EVERYTHING) && !isEverything({ ...EVERYTHING, text: "x" }));
  for (const [change, isIn] of [
    [{}, true],
    [{ text: " silk " }, true],
    [{ text: "red" }, true],
    [{ text: "blue" }, false],
    [{ room: "r1" }, true],
    [{ room: "r9" }, true],
    [{ room: "r2" }, false],
    [{ rule: "oversell" }, true],
    [{ rule: "return-spike" }, false],
    [{ state: "paused" }, true],
    [{ state: "shadow" }, false],
  ] as const) {
    assert.equal(matchesProduct({ ...EVERYTHING, ...change }, one), isIn, JSON.stringify(change));
  }
  assert.ok(matchesEvent({ ...EVERYTHING, text: "mei" }, event("p", 1, { actor: "operator:mei" })));
  assert.deepEqual(choices(["b", null, "a", "b"], "chosen"), ["a", "b", "chosen"]);
});

test("what was measured, against which limit, in which window, on which sample", () => {
  const surge = { measured: 51, limit: 50, window_s: 3600 };
  assert.equal(measured(surge, kindOf(surge), telling), "51 complaints within 1 h, limit 50");
  const spike = { measured: 0.1732, limit: 0.1511, window_s: 3600, b: 0.0511, R: 52, N: 300, k: 41 };
  assert.equal(measured(spike, kindOf(spike), telling), "17.3% of 300 units returned within 1 h, limit 15.1%");
  assert.equal(sample(spike, "return_spike", telling), "52 units in 41 returns · worst before 5.11%");
  const oversold = { measured: -2, limit: 3, level: 3, rate: 1.5, on_hand: 500, as_of: at(0) };
  assert.equal(measured(oversold, kindOf(oversold), telling), "Sold out: -2 left, pauses at 3");
  assert.equal(sample(oversold, "oversell", telling), "1.5 sold a second · 500 on hand as of 12:00:00");
  assert.equal(measured({ command_id: "k" }, null, telling), null);
});

test("how long until it recovers by itself, or for whom it waits", () => {
  assert.equal(recovery(fuse(), T0, true, telling), "waits for you");
  assert.equal(recovery(fuse(), T0, false, telling), "waits for an operator");
  assert.equal(recovery(fuse({ due: at(90) }), T0, true, telling), "recovers by itself in 1 min 30 s");
  assert.equal(recovery(fuse({ due: at(-1) }), T0, true, telling), "recovers any moment");
  assert.equal(recovery(fuse({ state: "probation", due: at(60) }), T0, true, telling), "closes in 1 min if quiet");
  assert.equal(recovery(fuse({ kind: "oversell" }), T0, true, telling), "recovers by itself with new stock");
});

test("who did it", () => {
  assert.equal(who("operator:mei", telling.say), "mei");
  assert.equal(who("rule", telling.say), "its rule");
});
