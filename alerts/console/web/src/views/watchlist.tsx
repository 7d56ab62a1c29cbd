// Products near a limit, the nearest first.

import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { filter, now, state, telling, zone } from "../app.ts";
import type { Watched } from "../api.ts";
import { matchesWatched } from "../filter.ts";
import { clock, duration, number, percent } from "../format.ts";
import { AsOf, ProductLink } from "./bits.tsx";

/** A watch list that is older than this says so. */
const OLD_MS = 30_000;

function Left({ one }: { one: Watched }): JSX.Element {
  const { say, language } = telling.value;
  // What was 40 seconds from sold out when it was measured is nearer now.
  const text = useComputed(() => {
    if (one.seconds_left === null) return telling.value.say("watch_not_selling");
    const left = one.seconds_left - (now.value - Date.parse(one.as_of)) / 1000;
    return telling.value.say("watch_sold_out_in", { age: duration(left, telling.value.language) });
  });
  return (
    <span class="left num">
      <strong>{say("watch_left", { n: number(one.available ?? 0, language) })}</strong> · <span>{text}</span>
    </span>
  );
}

function Row({ one }: { one: Watched }): JSX.Element {
  const { say, language } = telling.value;
  const isOld = useComputed(() => now.value - Date.parse(one.as_of) > OLD_MS).value;
  const share = percent(Math.round(one.nearness * 100) / 100);
  return (
    <li class="watched" data-testid="watched" data-product-id={one.product_id}>
      <div class="row">
        <span class="name">
          <ProductLink id={one.product_id} />
          {one.sku_id && <bdi class="chip">{one.sku_id}</bdi>}
        </span>
        <span class="num share" title={say("watch_nearness", { percent: share })}>
          {share}
        </span>
      </div>
      <meter min={0} max={1} low={0.75} high={0.9} value={one.nearness} aria-label={say("watch_nearness", { percent: share })} />
      <p class="small quiet">
        {one.available !== null && (
          <>
            <Left one={one} /> ·{" "}
          </>
        )}
        <bdi>{one.rule}</bdi>
        {one.available === null && (
          <span class="num">
            {" "}
            · {number(one.measured, language)} / {number(one.limit, language)}
          </span>
        )}
        {one.room_id && (
          <>
            {" "}
            · <bdi>{one.room_id}</bdi>
          </>
        )}
        {isOld && <span class="num"> · {say("watch_old", { time: clock(Date.parse(one.as_of), zone) })}</span>}
      </p>
    </li>
  );
}

export function WatchList(): JSX.Element {
  const { say } = telling.value;
  const shown = (state.value?.watchlist ?? []).filter((one) => matchesWatched(filter.value, one));
  return (
    <section class="panel watch" aria-labelledby="watch-title" data-testid="watchlist">
      <header class="section-head">
        <h2 id="watch-title">{say("watch_title")}</h2>
        <AsOf />
      </header>
      {shown.length === 0 ? (
        <p class="empty-line">{state.value ? say("watch_nothing") : say("nothing_known")}</p>
      ) : (
        <ul class="rows">
          {shown.map((one) => (
            <Row key={`${one.product_id}\n${one.rule}\n${one.sku_id ?? ""}`} one={one} />
          ))}
        </ul>
      )}
    </section>
  );
}
