// One product: how it stands, its last hour, its history and who ordered what.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { mayOrder, state, telling, trusted } from "../app.ts";
import type { Fuse, History, Product, Series } from "../api.ts";
import { get } from "../api.ts";
import { dialog } from "../desk.ts";
import { kindOf, measured, sample } from "../facts.ts";
import { whyNot } from "../whynot.ts";
import { detailOf, refresh, watch } from "../series.ts";
import { follows, pathOf } from "../router.ts";
import { ranked } from "../standing.ts";
import { leavesOut, lookUp } from "../store.ts";
import { AuditTable } from "./audit.tsx";
import { AsOf, Moment, SeverityBadge } from "./bits.tsx";
import { Card, Recovery } from "./card.tsx";
import { Chart } from "./chart.tsx";
import { EventRow } from "./feed.tsx";
import { Icon } from "./icons.tsx";

function FuseRow({ fuse }: { fuse: Fuse }): JSX.Element {
  const { say } = telling.value;
  const { cause, kind } = fuse;
  return (
    <li class="fuse" data-testid="fuse" data-rule={fuse.rule} data-state={fuse.state}>
      <p>
        <SeverityBadge severity={fuse.severity} /> <bdi class="rule">{fuse.rule}</bdi>{" "}
        {fuse.sku_id && (
          <span class="chip">
            {say("sku")} <bdi>{fuse.sku_id}</bdi>
          </span>
        )}{" "}
        <span class="quiet">{say("opening_number", { n: fuse.epoch })}</span>
        {fuse.shadow && <span class="quiet"> · {say("shadow_note")}</span>}
      </p>
      <p class="sentence">{measured(cause, kind, telling.value)}</p>
      <p class="small quiet">{sample(cause, kind, telling.value)}</p>
      <p class="small">
        <Moment at={fuse.since} /> · <Recovery fuse={fuse} />
      </p>
      {cause.evidence && cause.evidence.length > 0 && (
        <p class="evidence">
          <span class="quiet">{say("evidence")}</span> {cause.evidence.map((id) => <code key={id}>{id}</code>)}
        </p>
      )}
    </li>
  );
}

function Hours({ series, product }: { series: readonly Series[]; product: Product | null }): JSX.Element {
  const { say } = telling.value;
  const shown = series.filter((one) => one.points.length > 0);
  return (
    <section class="panel hours" aria-labelledby="hours-title">
      <header class="section-head">
        <h2 id="hours-title">{say("chart_title")}</h2>
        <AsOf />
      </header>
      {shown.length === 0 && <p class="empty-line">{say("chart_none")}</p>}
      {shown.map((one) => {
        const fuse = product?.fuses.find(({ rule, sku_id }) => rule === one.rule && sku_id === one.sku_id);
        const kind = fuse?.kind ?? null;
        return (
          <div key={`${one.rule}\n${one.sku_id ?? ""}`} class="big-chart">
            <h3>
              <bdi>{one.rule}</bdi> {one.sku_id && <bdi class="chip">{one.sku_id}</bdi>}
            </h3>
            <Chart rule={one.rule} kind={kind ?? kindOf(fuse?.cause ?? {})} points={one.points} width={600} height={140} axis />
          </div>
        );
      })}
    </section>
  );
}

export function ProductView({ id }: { id: string }): JSX.Element {
  const { say } = telling.value;
  const detail = detailOf(id).value;
  const product = lookUp(state.value, id, detail);
  const sequence = state.value?.sequences.get(id) ?? 0;
  const past = useSignal<History | null>(null);
  const failed = useSignal("");

  useEffect(() => watch(id, sequence), [id]);
  useEffect(() => {
    refresh(id, sequence);
    const timer = setInterval(() => refresh(id, sequence), 15_000);
    const abort = new AbortController();
    get<History>("/api/v1/product/history", { id }, abort.signal)
      .then((answer) => {
        past.value = answer;
        failed.value = "";
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) failed.value = whyNot(error);
      });
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [id, sequence]);

  const isKnown = trusted.value === "live" || trusted.value === "doubtful";
  return (
    <div class="product" data-testid="product" data-product-id={id}>
      <p class="way-back">
        <a href={pathOf({ view: "board" })} onClick={follows({ view: "board" })} data-testid="back">
          ← {say("back")}
        </a>
      </p>
      <h2 class="product-name" dir="auto" tabIndex={-1}>
        {id}
      </h2>
      {product ? (
        <div class="list">
          <Card product={product} isChosen={false} isGone={false} />
        </div>
      ) : (
        <div class="card is-none" data-testid="product-none">
          <p class="sentence">
            {isKnown && leavesOut(state.value) ? (
              <>
                <Icon sign="cut" /> {say("product_left_out")}
              </>
            ) : isKnown ? (
              <>
                <Icon sign="check" /> {say("product_on_sale")}
              </>
            ) : (
              <>
                <Icon sign="cut" /> {say("product_not_known")}
              </>
            )}
          </p>
          {mayOrder.value && (
            <div class="actions">
              <button
                type="button"
                class="action is-pause"
                data-testid="action-pause"
                onClick={() => (dialog.value = { kind: "order", action: "pause", product_id: id })}
              >
                <Icon sign="pause" /> {say("action_pause")}
              </button>
            </div>
          )}
        </div>
      )}
      <div class="product-columns">
        <div>
          <Hours series={detail?.series ?? []} product={product} />
          {product && product.fuses.length > 0 && (
            <section class="panel" aria-labelledby="fuses-title">
              <header class="section-head">
                <h2 id="fuses-title">{say("fuses_title")}</h2>
              </header>
              <ul class="rows">
                {ranked(product).map((fuse) => (
                  <FuseRow key={`${fuse.rule}\n${fuse.sku_id ?? ""}`} fuse={fuse} />
                ))}
              </ul>
            </section>
          )}
        </div>
        <section class="panel" aria-labelledby="history-title" data-testid="history">
          <header class="section-head">
            <h2 id="history-title">{say("history_title")}</h2>
          </header>
          {failed.value && <p class="notice">{say("failed", { why: failed.value })}</p>}
          {!past.value && !failed.value && <p class="empty-line">{say("loading")}</p>}
          {past.value && past.value.events.length === 0 && <p class="empty-line">{say("history_none")}</p>}
          {past.value && (
            <ol class="rows">
              {[...past.value.events].reverse().map((event) => (
                <EventRow key={event.event_id} event={event} named={false} />
              ))}
            </ol>
          )}
          {past.value && !past.value.complete && <p class="small quiet">{say("history_incomplete")}</p>}
        </section>
      </div>
      {past.value && past.value.audit.length > 0 && (
        <section class="panel" aria-labelledby="product-audit-title" data-testid="product-audit">
          <header class="section-head">
            <h2 id="product-audit-title">{say("product_audit_title")}</h2>
          </header>
          <AuditTable entries={[...past.value.audit].reverse()} named={false} label="product-audit-title" />
        </section>
      )}
    </div>
  );
}
