// Small pieces that many views are made of.

import { useComputed } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { asOf, now, telling, trusted, zone } from "../app.ts";
import type { Severity } from "../api.ts";
import { duration, moment } from "../format.ts";
import { follows, pathOf } from "../router.ts";
import type { Standing } from "../standing.ts";
import { Icon, SEVERITY_SIGNS, STANDING_SIGNS } from "./icons.tsx";

/** How long ago a time is, ticking. Only its text is drawn again each second. */
export function Age({ at, ago = false }: { at: string | number; ago?: boolean }): JSX.Element {
  const from = typeof at === "number" ? at : Date.parse(at);
  const text = useComputed(() => {
    const { say, language } = telling.value;
    const seconds = (now.value - from) / 1000;
    if (ago && seconds < 1) return say("now_ago");
    const age = duration(seconds, language);
    return ago ? say("ago", { age }) : age;
  });
  return <span class="num">{text}</span>;
}

/** A time, with its day where that is not today; the whole of it on hover. */
export function Moment({ at }: { at: string }): JSX.Element {
  const ms = Date.parse(at);
  // The day changes once a day: what was drawn is good until then.
  return (
    <time class="num" dateTime={at} title={`${at} · ${zone}`}>
      {moment(ms, now.peek(), zone)}
    </time>
  );
}

/** "as of": how old what a section shows is. Shown only while that is not current. */
export function AsOf(): JSX.Element | null {
  const { say } = telling.value;
  const at = asOf.value;
  if (trusted.value !== "stale" || at === null) return null;
  return (
    <span class="as-of" data-testid="as-of">
      <Icon sign="cut" size={14} />
      {say("as_of", { time: moment(at, now.peek(), zone) })} · <Age at={at} ago />
    </span>
  );
}

export function StandingBadge({ standing }: { standing: Standing }): JSX.Element {
  return (
    <span class={`badge standing is-${standing}`}>
      <Icon sign={STANDING_SIGNS[standing]} />
      {telling.value.say(`standing_${standing}`)}
    </span>
  );
}

export function SeverityBadge({ severity }: { severity: Severity }): JSX.Element {
  return (
    <span class={`badge severity is-${severity}`}>
      <Icon sign={SEVERITY_SIGNS[severity]} size={14} />
      {telling.value.say(`severity_${severity}`)}
    </span>
  );
}

export function ProductLink({ id, children }: { id: string; children?: ComponentChildren }): JSX.Element {
  const to = { view: "product", id } as const;
  return (
    <a class="product-link" href={pathOf(to)} onClick={follows(to)} dir="auto">
      {children ?? id}
    </a>
  );
}

export function Room({ id }: { id: string | null }): JSX.Element | null {
  if (id === null) return null;
  return (
    <span class="chip room">
      <Icon sign="room" size={14} />
      <span class="quiet">{telling.value.say("room")}</span> <bdi>{id}</bdi>
    </span>
  );
}
