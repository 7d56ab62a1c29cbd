// Orders on their way: the countdown of what waits with its undo, and what came of what was sent.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { telling, trusted } from "../app.ts";
import { entries, orders, undo } from "../desk.ts";
import { putsOnSale } from "../effect.ts";
import type { Entry, Order } from "../orders.ts";
import { mayPutOnSale } from "../trust.ts";
import { sayCode } from "../words/say.ts";
import { ACTION_SIGNS } from "./card.tsx";
import { Icon } from "./icons.tsx";

/** Seconds until a time of `performance.now()`, drawn again as it counts down. */
function useSecondsTo(due: number | null): number {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (due === null) return;
    const timer = setInterval(() => redraw((count) => count + 1), 200);
    return () => clearInterval(timer);
  }, [due]);
  return due === null ? 0 : Math.max(0, Math.ceil((due - performance.now()) / 1000));
}

export function whatOf(order: Order): string {
  const { say } = telling.value;
  const [only] = order.targets;
  if (order.room !== null) return say("what_room", { n: order.targets.length, room: order.room });
  return only?.product_id ?? "";
}

function sentence(entry: Entry, seconds: number): string {
  const { say } = telling.value;
  const { order, stage, results, refused } = entry;
  const values = { action: say(`action_${order.action}`), what: whatOf(order) };
  switch (stage) {
    case "held":
      return say("held", { ...values, n: seconds });
    case "sending":
    case "pending":
    case "undone":
    case "not_sent":
      return say(stage, values);
    case "refused":
      if (refused?.status === 0) return say("unreachable", values);
      if (refused?.refusal.error === "conflict") return say("refused", { ...values, why: say("rejected_conflict") });
      return say("refused", { ...values, why: sayCode(say, "refused_", refused?.refusal.error ?? "") });
    case "done": {
      const count = (outcome: string): number => results.filter((result) => result.outcome === outcome).length;
      if (order.room !== null) {
        const counts = { applied: count("applied"), rejected: count("rejected"), pending: count("pending") };
        return say("bulk_result", { ...values, ...counts });
      }
      const why = results[0]?.rejected;
      return why ? say("rejected", { ...values, why: sayCode(say, "rejected_", why) }) : say("applied", values);
    }
  }
}

function isBad({ stage, results }: Entry): boolean {
  return stage === "refused" || stage === "not_sent" || results.some((result) => result.outcome === "rejected");
}

function Line({ entry }: { entry: Entry }): JSX.Element {
  const { say } = telling.value;
  const { order, stage, due, undoUntil, refused } = entry;
  const held = stage === "held";
  const seconds = useSecondsTo(held ? due : undoUntil);
  const canUndo = held || (undoUntil !== null && seconds > 0);
  const id = order.request_id;
  return (
    <li
      class={`order is-${order.action} stage-${stage}${isBad(entry) ? " is-bad" : ""}`}
      data-testid="order"
      data-stage={stage}
      data-action={order.action}
      data-product-id={order.targets[0]?.product_id}
    >
      <Icon sign={isBad(entry) ? "warning" : ACTION_SIGNS[order.action]} size={20} />
      <span class="order-text num" dir="auto">
        {sentence(entry, seconds)}
      </span>
      {canUndo && (
        <button
          type="button"
          class="undo"
          data-testid="undo"
          aria-keyshortcuts="u"
          disabled={!held && !mayPutOnSale(trusted.value)}
          onClick={() => undo(entry)}
        >
          <Icon sign="undo" />
          {held ? say("undo") : say("undo_pause", { n: seconds })}
        </button>
      )}
      {stage === "refused" && (refused?.status === 0 || (refused?.status ?? 0) >= 429) && (
        <button
          type="button"
          title={say("send_again_hint")}
          data-testid="send-again"
          disabled={putsOnSale(order.action) && !mayPutOnSale(trusted.value)}
          onClick={() => orders.again(id)}
        >
          {say("send_again")}
        </button>
      )}
      {(stage === "done" || stage === "refused" || stage === "not_sent" || stage === "undone") && (
        <button type="button" class="icon-button" aria-label={say("dismiss")} onClick={() => orders.dismiss(id)}>
          <Icon sign="close" size={14} />
        </button>
      )}
      {held && <progress class="countdown" max={5} value={seconds} aria-hidden="true" />}
    </li>
  );
}

/** What screen readers hear: each stage once, without the count of seconds. */
function spoken(entry: Entry): string {
  return entry.stage === "held" ? sentence(entry, 5) : sentence(entry, 0);
}

export function OrderBar(): JSX.Element {
  const { say } = telling.value;
  const all = entries.value;
  return (
    <section class="order-bar" aria-label={say("orders_label")} data-testid="orders">
      <div class="hidden" role="status">
        {all.map((entry) => (
          <p key={entry.order.request_id}>{spoken(entry)}</p>
        ))}
      </div>
      <ul>
        {all.map((entry) => (
          <Line key={entry.order.request_id} entry={entry} />
        ))}
      </ul>
    </section>
  );
}
