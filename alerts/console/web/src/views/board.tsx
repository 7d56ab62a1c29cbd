// The board: what is paused first; beside it the watch list, the feed and how the data is.

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { asOf, filter, mayOrder, now, panel, state, telling, trusted, zone, type Panel } from "../app.ts";
import { get, type Product, type Products } from "../api.ts";
import { dialog } from "../desk.ts";
import { isEverything, matchesProduct, type Filter } from "../filter.ts";
import { moment } from "../format.ts";
import { order } from "../standing.ts";
import { pausedOf, totalOf } from "../store.ts";
import { AsOf } from "./bits.tsx";
import { Feed } from "./feed.tsx";
import { Counts, FilterBar } from "./filterbar.tsx";
import { HealthPanel } from "./health.tsx";
import { Icon, type Sign } from "./icons.tsx";
import { ProductList } from "./list.tsx";
import { WatchList } from "./watchlist.tsx";

const FOUND = 100;

const PANELS: readonly { name: Panel; sign: Sign; word: "paused_title" | "watch_title" | "feed_title" | "health_title" }[] = [
  { name: "paused", sign: "pause", word: "paused_title" },
  { name: "watch", sign: "eye", word: "watch_title" },
  { name: "feed", sign: "clock", word: "feed_title" },
  { name: "health", sign: "live", word: "health_title" },
];

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
  if (known.products.size === 0 && trusted.value === "stale") {
    return (
      <div class="empty is-unknown" data-testid="nothing-was-paused">
        <Icon sign="cut" size={28} />
        <p class="sentence">{say("nothing_was_paused", { time: moment(asOf.value ?? known.now, now.peek(), zone) })}</p>
        <p>{say("not_known_now")}</p>
      </div>
    );
  }
  if (known.products.size > 0) return <p class="empty">{say("filter_none", { n: totalOf(known) })}</p>;
  return (
    <div class="empty is-quiet" data-testid="nothing-paused">
      <Icon sign="check" size={28} />
      <p class="sentence">{say("nothing_paused")}</p>
      <p>{say("nothing_paused_long")}</p>
    </div>
  );
}

/** Products that the stream leaves out because there are too many: asked for by filter, as they are at that moment. */
function useLeftOut(wanted: Filter, isAny: boolean): readonly Product[] {
  const [found, setFound] = useState<readonly Product[]>([]);
  const asks = isAny && !isEverything(wanted);
  useEffect(() => {
    setFound([]);
    if (!asks) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const query = { ...wanted, text: wanted.text.trim(), limit: FOUND };
      get<Products>("/api/v1/products", query, abort.signal)
        .then((answer) => setFound(answer.products))
        .catch(() => undefined);
    }, 300);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [asks, wanted]);
  return found;
}

function PausedSection(): JSX.Element {
  const { say } = telling.value;
  const known = state.value;
  const wanted = filter.value;
  const shown = useMemo(() => {
    const all = [...(known?.products.values() ?? [])];
    return all.filter((product) => matchesProduct(wanted, product)).sort(order);
  }, [known?.products, wanted]);
  const total = known ? totalOf(known) : 0;
  const leftOut = total - (known?.products.size ?? 0);
  const found = useLeftOut(wanted, leftOut > 0).filter((product) => !known?.products.has(product.product_id));
  const room = wanted.room;
  return (
    <section class="panel paused" aria-labelledby="paused-title" data-testid="paused">
      <header class="section-head">
        <h2 id="paused-title" tabIndex={-1}>
          {say("paused_title")}
        </h2>
        {!isEverything(wanted) && (
          <span class="quiet num">{say("showing", { n: shown.length + found.length, total })}</span>
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
      {shown.length + found.length === 0 && <Empty />}
      <ProductList products={found.length ? [...shown, ...found] : shown} filterKey={JSON.stringify(wanted)} />
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
  const paused = pausedOf(state.value);
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
