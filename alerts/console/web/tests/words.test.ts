import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, duration, fill, moment, number, percent, zoneName } from "../src/format.ts";
import { en } from "../src/words/en.ts";
import { sayCode, sayIn } from "../src/words/say.ts";
import { zh } from "../src/words/zh.ts";

const names = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)/g)].map((found) => found[1] ?? ""))].sort();

test("both dictionaries have the same keys, and each text the same values", () => {
  assert.deepEqual(Object.keys(zh), Object.keys(en));
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    assert.ok(zh[key].trim() && en[key].trim(), key);
    assert.deepEqual(names(zh[key]), names(en[key]), key);
  }
});

test("no English is left in Chinese, but for names", () => {
  const foreign = Object.entries(zh).filter(([key, text]) => {
    const words = text.replace(/\{[^}]*\}/g, "").match(/[A-Za-z]{2,}/g) ?? [];
    const known = new Set(["Kafka", "CSV", "livefuse", "English", "Switch", "to"]);
    return key !== "language" && words.some((word) => !known.has(word));
  });
  assert.deepEqual(foreign, []);
});

test("quick reasons are as many in both languages", () => {
  for (const key of ["quick_pause", "quick_allow", "quick_release", "quick_resume", "quick_acknowledge"] as const) {
    assert.equal(zh[key].split("|").length, en[key].split("|").length, key);
  }
});

test("values and words that go with them", () => {
  assert.equal(fill("{n:one product|# products} of {room}", { n: 1, room: "r1" }), "one product of r1");
  assert.equal(fill("{n:one product|# products} of {room}", { n: 3, room: "r1" }), "3 products of r1");
  assert.equal(fill("{what} {other}", { what: "{other}" }), "{other} {other}");
  assert.equal(sayIn("zh")("more_fuses", { n: 2 }), "另有 2 个熔断");
});

test("a code that is not known stands for itself", () => {
  assert.equal(sayCode(sayIn("en"), "rejected_", "nothing_open"), "no fuse is open");
  assert.equal(sayCode(sayIn("en"), "rejected_", "new_code"), "new_code");
});

test("times are of the zone, with the day where that is not today", () => {
  const ms = Date.parse("2026-11-11T18:30:05.123Z");
  assert.equal(clock(ms, "Asia/Shanghai"), "02:30:05");
  assert.equal(zoneName(ms, "en", "Asia/Shanghai"), "GMT+8");
  assert.equal(moment(ms, ms, "Asia/Shanghai"), "02:30:05");
  assert.equal(moment(ms, ms + 86_400_000, "Asia/Shanghai"), "11-12 02:30:05");
  assert.equal(moment(ms, ms + 366 * 86_400_000, "Asia/Shanghai"), "2026-11-12 02:30:05");
});

test("durations, numbers, shares", () => {
  assert.equal(duration(0, "en"), "0 s");
  assert.equal(duration(-5, "en"), "0 s");
  assert.equal(duration(192, "en"), "3 min 12 s");
  assert.equal(duration(3600, "zh"), "1 小时");
  assert.equal(duration(90_061, "zh"), "1 天 1 小时");
  assert.equal(number(74_215, "en"), "74,215");
  assert.equal(percent(0.1732), "17.3%");
  assert.equal(percent(0.05), "5%");
});
