import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused, type BulkResult, type Override, type Result } from "../src/api.ts";
import { ALL } from "../src/effect.ts";
import { HOLD_MS, LATE_MS, Orders, SHOWN_MS, UNDO_MS, type Entry, type Host, type Order } from "../src/orders.ts";
import { T0, at, event, product } from "./invented.ts";

/** A host whose time is the test's, and whose console answers when the test says so. */
class Stage implements Host {
  time = 0;
  isCurrent = true;
  /** For how long the machine slept, and its own clock with it. */
  slept = 0;
  sent: Order[] = [];
  entries: readonly Entry[] = [];
  private timers: { due: number; run: () => void }[] = [];
  private answers: { resolve: (result: Result | BulkResult) => void; reject: (error: unknown) => void }[] = [];
  private ids = 0;

  now = (): number => this.time;
  wall = (): number => this.time + this.slept;
  current = (): boolean => this.isCurrent;
  changed = (entries: readonly Entry[]): void => void (this.entries = entries);
  requestId = (): string => `undo-${++this.ids}`;

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { due: this.time + ms, run };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  };

  send = (order: Order): Promise<Result | BulkResult> => {
    this.sent.push(order);
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }));
  };

  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const [next] = this.timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due);
      if (!next) break;
      this.time = next.due;
      this.timers = this.timers.filter((timer) => timer !== next);
      next.run();
    }
    this.time = end;
  }

  /** Run what should have run long ago. */
  wake(): void {
    const late = this.timers;
    this.timers = [];
    for (const { run } of late) run();
  }

  async answer(result: Partial<Result>): Promise<void> {
    const order = this.sent[this.sent.length - 1];
    const whole = { request_id: order?.request_id ?? "", command_id: "k", product_id: "p", rejected: null, product: null };
    this.answers.shift()?.resolve({ ...whole, outcome: "applied", events: [], ...result });
    await settled();
  }

  async answerRoom(results: Result[]): Promise<void> {
    this.answers.shift()?.resolve({ request_id: "", results });
    await settled();
  }

  async refuse(error: unknown): Promise<void> {
    this.answers.shift()?.reject(error);
    await settled();
  }

  get stages(): string[] {
    return this.entries.map(({ stage }) => stage);
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function order(action: Order["action"], change: Partial<Order> = {}): Order {
  return {
    request_id: `r-${action}`,
    action,
    reason: "checked",
    targets: [{ product_id: "p", expected_sequence: 7, before: null }],
    room: null,
    confirm: null,
    fuse: ALL,
    duration_s: null,
    undoes: null,
    ...change,
  };
}

for (const action of ["resume", "allow", "release"] as const) {
  test(`${action} waits five seconds, and is sent with what the person saw`, () => {
    const stage = new Stage();
    new Orders(stage).give(order(action));
    stage.advance(HOLD_MS - 1);
    assert.deepEqual([stage.sent.length, stage.stages], [0, ["held"]]);
    stage.advance(1);
    assert.deepEqual([stage.sent.length, stage.stages], [1, ["sending"]]);
    assert.equal(stage.sent[0]?.targets[0]?.expected_sequence, 7);
  });
}

test("an undo before that: nothing is ever sent", () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("resume"));
  stage.advance(HOLD_MS - 1);
  orders.undo("r-resume");
  stage.advance(60_000);
  assert.deepEqual([stage.sent.length, stage.stages], [0, []]);
});

test("when what is shown is not current at the end of the wait, it is not sent", () => {
  const stage = new Stage();
  new Orders(stage).give(order("resume"));
  stage.isCurrent = false;
  stage.advance(60_000);
  assert.deepEqual([stage.sent.length, stage.stages], [0, ["not_sent"]]);
});

test("an order that was overslept is not sent: nobody could take it back", () => {
  const stage = new Stage();
  new Orders(stage).give(order("resume"));
  stage.slept = 3_600_000;
  stage.advance(60_000);
  assert.deepEqual([stage.sent.length, stage.stages], [0, ["not_sent"]]);

  const frozen = new Stage();
  new Orders(frozen).give(order("allow"));
  frozen.time = HOLD_MS + LATE_MS + 1;
  frozen.wake();
  assert.deepEqual([frozen.sent.length, frozen.stages], [0, ["not_sent"]]);
});

test("what puts something on sale is not sent again from a page that is not current; a pause is", async () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  for (const action of ["resume", "pause"] as const) {
    orders.give(order(action));
    stage.advance(HOLD_MS);
    await stage.refuse(new Refused(0, { error: "unreachable", message: "" }));
  }
  stage.isCurrent = false;
  orders.again("r-resume");
  orders.again("r-pause");
  assert.deepEqual(stage.sent.map(({ action }) => action), ["resume", "pause", "pause"]);
  stage.isCurrent = true;
  orders.again("r-resume");
  assert.equal(stage.sent.at(-1)?.action, "resume");
});

test("when the product moves on in the wait it goes out at once: the refusal tells who was faster", async () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("resume"));
  orders.moved(new Map([["p", 7]]));
  assert.equal(stage.sent.length, 0);
  orders.moved(new Map([["p", 8]]));
  orders.moved(new Map([["p", 9]]));
  assert.equal(stage.sent.length, 1);
  await stage.refuse(new Refused(409, { error: "conflict", message: "", product: product("p", { sequence: 8 }) }));
  stage.advance(60_000);
  assert.deepEqual([stage.sent.length, stage.stages], [1, ["refused"]]);
});

test("a pause is sent at once, also when what is shown is not current; acknowledge too", () => {
  const stage = new Stage();
  stage.isCurrent = false;
  const orders = new Orders(stage);
  orders.give(order("pause"));
  orders.give(order("acknowledge"));
  assert.deepEqual(stage.sent.map(({ action }) => action), ["pause", "acknowledge"]);
});

test("the undo of a pause releases it, expecting what the pause made", async () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause"));
  await stage.answer({ events: [event("p", 8)], product: product("p", { sequence: 8 }) });
  stage.advance(UNDO_MS - 1);
  orders.restore("r-pause", T0, "undo");
  const undo = stage.sent[1];
  assert.deepEqual([undo?.action, undo?.targets[0]?.expected_sequence, undo?.reason], ["release", 8, "undo"]);
});

test("the undo of a pause restores the allowance that was before, for the rest of its time", async () => {
  const before: Override = { state: "allowed", until: at(600), actor: "mei", reason: "so", since: at(0) };
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause", { targets: [{ product_id: "p", expected_sequence: 7, before }] }));
  await stage.answer({ events: [event("p", 8)] });
  orders.restore("r-pause", T0 + 60_000, "undo");
  assert.deepEqual([stage.sent[1]?.action, stage.sent[1]?.duration_s], ["allow", 540]);
});

test("an allowance that has ended meanwhile is not restored", async () => {
  const before: Override = { state: "allowed", until: at(1), actor: "mei", reason: "so", since: at(0) };
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause", { targets: [{ product_id: "p", expected_sequence: 7, before }] }));
  await stage.answer({ events: [event("p", 8)] });
  orders.restore("r-pause", T0 + 2_000, "undo");
  assert.deepEqual([stage.sent[1]?.action, stage.sent[1]?.duration_s], ["release", null]);
});

test("no undo after five seconds, none without what the pause made, none while what is shown is not current", async () => {
  for (const [wait, events, isCurrent] of [
    [UNDO_MS + 1, [event("p", 8)], true],
    [0, [], true],
    [0, [event("p", 8)], false],
  ] as const) {
    const stage = new Stage();
    const orders = new Orders(stage);
    orders.give(order("pause"));
    await stage.answer({ events: [...events] });
    stage.advance(wait);
    stage.isCurrent = isCurrent;
    orders.restore("r-pause", T0, "undo");
    assert.equal(stage.sent.length, 1);
  }
});

test("what is done goes away, what went wrong stays until it is dismissed", async () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause"));
  await stage.answer({ events: [event("p", 8)] });
  stage.advance(SHOWN_MS);
  assert.deepEqual(stage.stages, []);
  orders.give(order("pause", { request_id: "second" }));
  await stage.answer({ outcome: "rejected", rejected: "expired" });
  stage.advance(60_000);
  assert.deepEqual(stage.stages, ["done"]);
  orders.dismiss("second");
  assert.deepEqual(stage.stages, []);
});

test("a pending order is answered by its event, and by no other", async () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause"));
  await stage.answer({ outcome: "pending" });
  orders.heard([event("p", 8, { cause: { command_id: "another" } })]);
  assert.deepEqual(stage.stages, ["pending"]);
  orders.heard([event("p", 9, { type: "command.rejected", cause: { command_id: "k", rejected: "conflict" } })]);
  assert.deepEqual(stage.stages, ["done"]);
  assert.equal(stage.entries[0]?.results[0]?.rejected, "conflict");
});

test("a console that does not answer: nothing is repeated by itself; a repeat is the same order", async () => {
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause"));
  await stage.refuse(new Refused(0, { error: "unreachable", message: "" }));
  stage.advance(60_000);
  assert.deepEqual([stage.sent.length, stage.stages], [1, ["refused"]]);
  orders.again("r-pause");
  assert.equal(stage.sent[1]?.request_id, stage.sent[0]?.request_id);
});

test("the undo of a room's pause releases what was paused by it, and allows again what was allowed", async () => {
  const before: Override = { state: "allowed", until: null, actor: "mei", reason: "so", since: at(0) };
  const targets = ["a", "b", "c"].map((product_id) => ({ product_id, expected_sequence: 1, before: product_id === "b" ? before : null }));
  const stage = new Stage();
  const orders = new Orders(stage);
  orders.give(order("pause", { targets, room: "r1", confirm: "r1" }));
  const result = (product_id: string, outcome: Result["outcome"]): Result => {
    const events = outcome === "applied" ? [event(product_id, 2)] : [];
    return { request_id: "", command_id: product_id, product_id, outcome, rejected: null, events, product: null };
  };
  await stage.answerRoom([result("a", "applied"), result("b", "applied"), result("c", "rejected")]);
  orders.restore("r-pause", T0, "undo");
  const undoes = stage.sent.slice(1).map((one) => [one.action, one.room, one.targets.map((target) => target.product_id)]);
  assert.deepEqual(undoes, [
    ["allow", null, ["b"]],
    ["release", "r1", ["a"]],
  ]);
});
