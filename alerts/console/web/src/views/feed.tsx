// What happened, the newest first.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { memo } from "./memo.ts";
import { filter, line, now, state, telling, zone } from "../app.ts";
import type { Events, EventType, FuseEvent } from "../api.ts";
import { get } from "../api.ts";
import { because, happened, who } from "../facts.ts";
import { matchesEvent } from "../filter.ts";
import { moment } from "../format.ts";
import { useSlowly } from "../slowly.ts";
import { AsOf, ProductLink } from "./bits.tsx";
import { Icon, type Sign } from "./icons.tsx";

const SHOWN = 40;
const NONE: readonly FuseEvent[] = [];
/** A feed that is drawn more often than that cannot be read anyway. */
const EVERY_MS = 400;
const OLDER = 100;

export function signOf(event: FuseEvent): Sign {
  switch (event.type) {
    case "fuse.opened":
      return event.shadow ? "ghost" : "pause";
    case "fuse.acknowledged":
      return "check";
    case "fuse.probation":
      return "eye";
    case "fuse.closed":
    case "override.cleared":
      return "play";
    case "override.set":
      return event.cause.action === "allow" ? "hand" : "pause";
    case "command.rejected":
      return "close";
  }
}

export function afterwards(event: FuseEvent): "paused" | "partly" | "on_sale" {
  if (event.paused.product) return "paused";
  return event.paused.skus.length ? "partly" : "on_sale";
}

export const EventRow = memo(({ event, named }: { event: FuseEvent; named: boolean }): JSX.Element => {
  const { say } = telling.value;
  const why = because(event, telling.value);
  const after = afterwards(event);
  return (
    <li class={`event is-${event.type.replace(".", "-")}${event.shadow ? " is-shadow" : ""}`} data-testid="event" data-type={event.type} data-product-id={event.product_id}>
      <time class="num quiet" dateTime={event.occurred_at}>
        {moment(Date.parse(event.occurred_at), now.peek(), zone)}
      </time>
      <Icon sign={signOf(event)} />
      <div>
        <p>
          {named && <ProductLink id={event.product_id} />} {event.sku_id && <bdi class="chip">{event.sku_id}</bdi>}{" "}
          <span class="kind">{happened(event, say)}</span>{" "}
          <span class={`after is-${after}`}>→ {say(`state_after_${after}`)}</span>
        </p>
        <p class="small quiet">
          {why && <span>{why} · </span>}
          {event.rule && <bdi>{event.rule}</bdi>}
          {event.actor !== "rule" && (
            <bdi>
              {event.rule && " · "}
              {who(event.actor, say)}
            </bdi>
          )}
          {event.reason && <span dir="auto"> {say("reason_is", { reason: event.reason })}</span>}
          {event.shadow && <span> · {say("shadow_note")}</span>}
        </p>
      </div>
    </li>
  );
});

const KINDS: readonly EventType[] = [
  "fuse.opened",
  "fuse.acknowledged",
  "fuse.probation",
  "fuse.closed",
  "override.set",
  "override.cleared",
  "command.rejected",
];

export function Feed(): JSX.Element {
  const { say } = telling.value;
  const kind = useSignal<EventType | "">("");
  const older = useSignal<readonly FuseEvent[]>([]);
  const cursor = useSignal<{ key: string; next: number | null; isAll: boolean }>({ key: "", next: null, isAll: false });
  const wanted = filter.value;
  const live = useSlowly(state.value?.events ?? NONE, EVERY_MS, line.value);
  const known = new Set(live.map((event) => event.event_id));
  const all = [...live, ...older.value.filter((event) => !known.has(event.event_id))];
  const shown = all.filter((event) => matchesEvent(wanted, event) && (!kind.value || event.type === kind.value));
  const listed = shown.slice(0, SHOWN + older.value.length);

  async function loadOlder(): Promise<void> {
    const query = { room: wanted.room, rule: wanted.rule, type: kind.value, text: wanted.text.trim(), limit: OLDER };
    const key = JSON.stringify(query);
    const before = cursor.value.key === key ? cursor.value.next : null;
    const answer = await get<Events>("/api/v1/events", { ...query, before }).catch(() => null);
    if (!answer) return;
    const have = new Set(older.value.map((event) => event.event_id));
    const fresh = answer.events.filter((event) => !have.has(event.event_id));
    cursor.value = { key, next: answer.next, isAll: answer.next === null };
    older.value = [...older.value, ...fresh].sort((a, b) => (a.occurred_at < b.occurred_at ? 1 : -1));
  }

  return (
    <section class="panel feed" aria-labelledby="feed-title" data-testid="feed">
      <header class="section-head">
        <h2 id="feed-title">{say("feed_title")}</h2>
        <AsOf />
        <label class="choice">
          <span class="hidden">{say("feed_kind")}</span>
          <select
            value={kind.value}
            data-testid="filter-type"
            onChange={(event) => {
              kind.value = event.currentTarget.value as EventType | "";
              cursor.value = { key: "", next: null, isAll: false };
            }}
          >
            <option value="">{say("all")}</option>
            {KINDS.map((type) => (
              <option key={type} value={type}>
                {happened({ type }, say)}
              </option>
            ))}
          </select>
        </label>
      </header>
      {listed.length === 0 ? (
        <p class="empty-line">{state.value ? say("feed_nothing") : say("nothing_known")}</p>
      ) : (
        <ol class="rows">
          {listed.map((event) => (
            <EventRow key={event.event_id} event={event} named />
          ))}
        </ol>
      )}
      {state.value && (
        <p class="feed-end">
          {cursor.value.isAll ? (
            <span class="quiet small">{say("feed_no_older")}</span>
          ) : (
            <button type="button" class="plain" onClick={() => void loadOlder()}>
              {say("feed_older")}
            </button>
          )}
        </p>
      )}
    </section>
  );
}
