// The board: what is paused first; beside it the watch list, the feed and how the data is.

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { filter, mayOrder, state, telling, trusted } from "../app.ts";
import { dialog } from "../desk.ts";
import { isEverything, matchesProduct } from "../filter.ts";
import { isPaused, order } from "../standing.ts";
import { AsOf } from "./bits.tsx";
import { Feed } from "./feed.tsx";
import { Counts, FilterBar } from "./filterbar.tsx";
import { HealthPanel } from "./health.tsx";
import { Icon, type Sign } from "./icons.tsx";
import { ProductList } from "./list.tsx";
import { WatchList } from "./watchlist.tsx";

type Panel = "paused" | "watch" | "feed" | "health";
const PANELS: readonly { name: Panel; sign: Sign; word: "paused_title" | "watch_title" | "feed_title" | "health_title" }[] = [
  { name: "paused", sign: "pause", word: "paused_title" },
  { name: "watch", sign: "eye", word: "watch_title" },
  { name: "feed", sign: "clock", word: "feed_title" },
  { name: "health", sign: "live", word: "health_title" },
];

/** Where the window is narrow one panel is shown at a time. */
const panel = signal<Panel>("paused");

function Empty(): JSX.Element {
  const { say } = telling.value;
  const known = state.value;
  if (!known || trusted.value === "none") {
    return (
      <div class="empty is-unknown" data-testid="nothing-known">
        <Icon sign="cut" size={28} />
        <p class="sentence">{say("nothing_known")}</p>
        <p>{say("nothing_known_long")}</p>
      </div>
    );
  }
  if (known.products.size > 0) return <p class="empty">{say("filter_none", { n: known.products.size })}</p>;
  return (
    <div class="empty is-quiet" data-testid="nothing-paused">
      <Icon sign="check" size={28} />
      <p class="sentence">{say("nothing_paused")}</p>
      <p>{say("nothing_paused_long")}</p>
    </div>
  );
}

function PausedSection(): JSX.Element {
  const { say } = telling.value;
  const known = state.value;
  const wanted = filter.value;
  const shown = useMemo(() => {
    const all = [...(known?.products.values() ?? [])];
    return all.filter((product) => matchesProduct(wanted, product)).sort(order);
  }, [known?.products, wanted]);
  const total = known?.total ?? 0;
  const leftOut = total - (known?.products.size ?? 0);
  const room = wanted.room;
  return (
    <section class="panel paused" aria-labelledby="paused-title" data-testid="paused">
      <header class="section-head">
        <h2 id="paused-title" tabIndex={-1}>
          {say("paused_title")}
        </h2>
        {!isEverything(wanted) && (
          <span class="quiet num">{say("showing", { n: shown.length, total: known?.products.size ?? 0 })}</span>
        )}
        <AsOf />
        {mayOrder.value && (
          <span class="section-orders">
            <button
              type="button"
              class="plain"
              data-testid="pause-any"
              onClick={() => (dialog.value = { kind: "order", action: "pause", product_id: null })}
            >
              <Icon sign="pause" /> {say("pause_any")}
            </button>
            <button
              type="button"
              class="plain"
              data-testid="bulk"
              onClick={() => (dialog.value = { kind: "bulk", room })}
            >
              <Icon sign="room" /> {say("room_actions")}
            </button>
          </span>
        )}
      </header>
      <Counts />
      <FilterBar />
      {shown.length === 0 && <Empty />}
      <ProductList products={shown} filterKey={JSON.stringify(wanted)} />
      {leftOut > 0 && (
        <p class="quiet" data-testid="left-out">
          {say("left_out", { n: leftOut })}
        </p>
      )}
    </section>
  );
}

export function Board(): JSX.Element {
  const { say } = telling.value;
  let paused = 0;
  for (const product of state.value?.products.values() ?? []) if (isPaused(product)) paused += 1;
  return (
    <div class="board" data-panel={panel.value}>
      <PausedSection />
      <div class="side">
        <WatchList />
        <Feed />
        <HealthPanel />
      </div>
      <nav class="panels" aria-label={say("board")}>
        {PANELS.map(({ name, sign, word }) => (
          <button
            key={name}
            type="button"
            aria-pressed={panel.value === name}
            data-testid={`panel-${name}`}
            onClick={() => (panel.value = name)}
          >
            <Icon sign={sign} size={18} />
            <span>
              {say(word)}
              {name === "paused" && paused > 0 ? ` ${paused}` : ""}
            </span>
          </button>
        ))}
      </nav>
    </div>
  );
}
