// One product: why it is paused, since when, for how long, who or what did it, and what may be ordered.

import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { memo } from "./memo.ts";
import { useEffect } from "preact/hooks";
import { chosen, mayOrder, now, telling, trusted, zone } from "../app.ts";
import type { Action, Fuse, Product } from "../api.ts";
import { ask } from "../desk.ts";
import { possible, putsOnSale } from "../effect.ts";
import { measured, quantity, recovery, rulesOf, sample, who } from "../facts.ts";
import { duration, moment } from "../format.ts";
import { detailOf, refresh, watch } from "../series.ts";
import { openFuses, ranked, severity, since, standing } from "../standing.ts";
import { mayPutOnSale } from "../trust.ts";
import { Age, Moment, ProductLink, Room, SeverityBadge, StandingBadge } from "./bits.tsx";
import { Chart } from "./chart.tsx";
import { Icon, type Sign } from "./icons.tsx";

const EVIDENCE = 3;
const OTHERS = 2;

export const ACTION_SIGNS: Record<Action, Sign> = {
  pause: "pause",
  allow: "hand",
  release: "undo",
  resume: "play",
  acknowledge: "check",
};

const ACTION_KEYS: Partial<Record<Action, string>> = { pause: "p", resume: "r", acknowledge: "a" };

export function Actions({ product }: { product: Product }): JSX.Element | null {
  const { say } = telling.value;
  if (!mayOrder.value) return null;
  const current = mayPutOnSale(trusted.value);
  return (
    <div class="actions" role="group" aria-label={`${say("actions")}: ${product.product_id}`}>
      {possible(product).map((action) => (
        <button
          key={action}
          type="button"
          class={`action is-${action}`}
          data-testid={`action-${action}`}
          aria-keyshortcuts={ACTION_KEYS[action]}
          disabled={putsOnSale(action) && (!current || !product.sure)}
          onClick={() => ask(action, product)}
        >
          <Icon sign={ACTION_SIGNS[action]} />
          {say(`action_${action}`)}
        </button>
      ))}
    </div>
  );
}

/** When it ends by itself, ticking. */
export function Recovery({ fuse }: { fuse: Fuse }): JSX.Element {
  const text = useComputed(() => recovery(fuse, now.value, mayOrder.value, telling.value));
  return (
    <span class={fuse.due === null && fuse.kind !== "oversell" ? "recovery waits" : "recovery"}>
      <Icon sign="clock" size={14} />
      <span class="num">{text}</span>
    </span>
  );
}

/** Until when an override holds, ticking. */
export function Until({ until }: { until: string | null }): JSX.Element {
  const text = useComputed(() => {
    const { say, language } = telling.value;
    if (until === null) return say("until_released");
    const ms = Date.parse(until);
    return say("until_in", { time: moment(ms, now.value, zone), age: duration((ms - now.value) / 1000, language) });
  });
  return (
    <span class="recovery">
      <Icon sign="clock" size={14} />
      <span class="num">{text}</span>
    </span>
  );
}

function Evidence({ ids }: { ids: readonly string[] }): JSX.Element | null {
  const { say } = telling.value;
  if (ids.length === 0) return null;
  const newest = ids.slice(-EVIDENCE).reverse();
  const more = ids.length - newest.length;
  return (
    <p class="evidence">
      <span class="quiet">{say("evidence")}</span>{" "}
      {newest.map((id) => (
        <code key={id}>{id}</code>
      ))}{" "}
      {more > 0 && <span class="quiet">{say("evidence_more", { n: more })}</span>}
    </p>
  );
}

function FuseWhy({ fuse }: { fuse: Fuse }): JSX.Element {
  const { say, language } = telling.value;
  const { cause, kind } = fuse;
  const on = sample(cause, kind, telling.value);
  return (
    <div class="why">
      {cause.measured !== undefined && cause.limit !== undefined && (
        <p class="measure num" aria-hidden="true">
          <strong>{quantity(cause.measured, kind, language)}</strong>
          <span class="against">/ {quantity(cause.limit, kind, language)}</span>
        </p>
      )}
      <div class="sentences">
        <p class="sentence">{measured(cause, kind, telling.value) ?? fuse.rule}</p>
        <p class="small">
          <span class="quiet">{say(`kind_${kind}`)} ·</span> <bdi class="rule">{fuse.rule}</bdi>
          {on && <span class="quiet"> · {on}</span>}
        </p>
      </div>
    </div>
  );
}

function OverrideWhy({ product }: { product: Product }): JSX.Element | null {
  const { say } = telling.value;
  const { override } = product;
  if (!override) return null;
  const open = openFuses(product);
  return (
    <div class="why">
      <div class="sentences">
        <p class="sentence">
          {say(override.state === "paused" ? "paused_by" : "allowed_by", { who: who(override.actor, say) })}
        </p>
        <p class="reason" dir="auto">
          {override.reason ? say("reason_is", { reason: override.reason }) : say("no_reason")}
        </p>
        {override.state === "allowed" && open.length > 0 && (
          <p class="small">{say("would_pause", { rules: rulesOf(open) })}</p>
        )}
      </div>
    </div>
  );
}

function FuseTimes({ fuse }: { fuse: Fuse }): JSX.Element {
  const { say } = telling.value;
  const { last } = fuse;
  const byPerson = last !== null && last.actor.startsWith("operator:");
  return (
    <div class="times">
      <p>
        <span class="quiet">{say("since_label")}</span> <Moment at={since(fuse)} />{" "}
        <strong class="lasted">
          <Age at={since(fuse)} />
        </strong>
      </p>
      <p>
        <Recovery fuse={fuse} />
      </p>
      <p class="small">
        {fuse.acknowledged_by ? (
          <span class="seen">
            <Icon sign="check" size={14} /> {say("acknowledged_by", { who: fuse.acknowledged_by })}
          </span>
        ) : fuse.state === "open" && !fuse.shadow ? (
          <span class="unseen">
            <Icon sign="bell" size={14} /> {say("unacknowledged")}
          </span>
        ) : null}
        {byPerson && last.reason && last.type !== "fuse.acknowledged" && (
          <span class="reason" dir="auto">
            {who(last.actor, say)} {say("reason_is", { reason: last.reason })}
          </span>
        )}
        {fuse.shadow && <span class="quiet">{say("shadow_note")}</span>}
      </p>
    </div>
  );
}

function OtherFuse({ fuse }: { fuse: Fuse }): JSX.Element {
  return (
    <li class={fuse.shadow ? "is-shadow" : `is-${fuse.state}`}>
      <SeverityBadge severity={fuse.severity} />
      {fuse.sku_id && <bdi class="chip">{fuse.sku_id}</bdi>}
      <span>{measured(fuse.cause, fuse.kind, telling.value) ?? ""}</span>
      <bdi class="quiet">{fuse.rule}</bdi>
      <Recovery fuse={fuse} />
    </li>
  );
}

function HourOf({ product, fuse }: { product: Product; fuse: Fuse }): JSX.Element {
  const { product_id, sequence } = product;
  useEffect(() => watch(product_id, sequence), [product_id]);
  useEffect(() => {
    refresh(product_id, sequence);
    const timer = setInterval(() => refresh(product_id, sequence), 15_000);
    return () => clearInterval(timer);
  }, [product_id, sequence]);
  const series = detailOf(product_id).value?.series ?? [];
  const mine =
    series.find(({ rule, sku_id }) => rule === fuse.rule && sku_id === fuse.sku_id) ??
    series.find(({ rule }) => rule === fuse.rule);
  return <div class="hour">{mine && <Chart rule={fuse.rule} kind={fuse.kind} points={mine.points} />}</div>;
}

interface Props {
  readonly product: Product;
  readonly isChosen: boolean;
  readonly isGone: boolean;
}

export const Card = memo(({ product, isChosen, isGone }: Props): JSX.Element => {
  const { say } = telling.value;
  const stands = standing(product);
  const fuses = ranked(product);
  const [first, ...others] = fuses;
  const lead = product.override ? undefined : first;
  const rest = product.override ? fuses : others;
  const isLarge = stands === "paused" || stands === "partly";
  const sku = lead?.sku_id ?? null;
  const { skus } = product.paused;
  const name = `product-${encodeURIComponent(product.product_id)}`;
  return (
    <article
      class={`card is-${stands} is-${severity(product)}${isLarge ? " is-large" : ""}${isChosen ? " is-chosen" : ""}${isGone ? " is-gone" : ""}`}
      aria-labelledby={name}
      aria-current={isChosen ? "true" : undefined}
      data-testid="product-card"
      data-product-id={product.product_id}
      data-standing={isGone ? "gone" : stands}
      tabIndex={-1}
      onClick={() => (chosen.value = product.product_id)}
      onFocusIn={() => (chosen.value = product.product_id)}
    >
      <span class="bar" aria-hidden="true" />
      <div class="identity">
        <p class="badges">
          {isGone ? <span class="badge">{say("standing_gone")}</span> : <StandingBadge standing={stands} />}
          {first && <SeverityBadge severity={severity(product)} />}
          {!product.sure && (
            <span class="badge unsure" title={say("unsure_long")}>
              {say("unsure")}
            </span>
          )}
        </p>
        <h3 id={name}>
          <ProductLink id={product.product_id} />
        </h3>
        <p class="where">
          {sku && (
            <span class="chip sku">
              <span class="quiet">{say("sku")}</span> <bdi>{sku}</bdi>
            </span>
          )}
          <Room id={product.room_id ?? lead?.room_id ?? null} />
          {stands === "partly" && skus.length > 1 && (
            <span class="small">{say("skus_paused", { n: skus.length, skus: skus.slice(0, 4).join(", ") })}</span>
          )}
        </p>
      </div>
      {lead ? <FuseWhy fuse={lead} /> : <OverrideWhy product={product} />}
      {isLarge && first ? <HourOf product={product} fuse={first} /> : <div class="hour" />}
      {lead ? (
        <FuseTimes fuse={lead} />
      ) : product.override ? (
        <div class="times">
          <p>
            <span class="quiet">{say("since_label")}</span> <Moment at={product.override.since} />{" "}
            <strong class="lasted">
              <Age at={product.override.since} />
            </strong>
          </p>
          <p>
            <Until until={product.override.until} />
          </p>
        </div>
      ) : null}
      <div class="foot">
        {lead?.cause.evidence && isLarge ? <Evidence ids={lead.cause.evidence} /> : <span />}
        {!isGone && <Actions product={product} />}
      </div>
      {rest.length > 0 && (
        <ul class="others">
          {rest.slice(0, OTHERS).map((fuse) => (
            <OtherFuse key={`${fuse.rule}\n${fuse.sku_id ?? ""}`} fuse={fuse} />
          ))}
          {rest.length > OTHERS && (
            <li>
              <ProductLink id={product.product_id}>{say("more_fuses", { n: rest.length - OTHERS })}</ProductLink>
            </li>
          )}
        </ul>
      )}
    </article>
  );
});
