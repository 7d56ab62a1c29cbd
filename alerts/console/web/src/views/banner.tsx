// What the page must not hide, across its top: that it is not current, and what is not well.

import type { JSX } from "preact";
import { useComputed } from "@preact/signals";
import { actsAs, asOf, line, now, silence, state, telling, trusted, zone } from "../app.ts";
import type { Problem } from "../api.ts";
import { duration, moment } from "../format.ts";
import { SILENCE_MS } from "../trust.ts";
import { lineWord } from "./health.tsx";
import { Icon } from "./icons.tsx";

export function problemText(problem: Problem): string {
  const { say, language } = telling.value;
  const behind = state.value?.health.behind_s ?? 0;
  return say(`problem_${problem.code}`, { age: duration(behind, language) });
}

function StaleText({ at }: { at: number }): JSX.Element {
  const text = useComputed(() => {
    const { say, language } = telling.value;
    const age = duration((now.value - at) / 1000, language);
    return say("stale_banner", { age, time: moment(at, now.value, zone) });
  });
  return <span>{text}</span>;
}

export function Banner(): JSX.Element | null {
  const { say } = telling.value;
  const at = asOf.value;
  const isStale = trusted.value === "stale" && at !== null;
  const problems = state.value?.health.problems ?? [];
  if (!isStale && trusted.value !== "none" && problems.length === 0 && actsAs.value === null) return null;
  return (
    <section class="banners" aria-label={say("banners_label")} data-testid="banners">
      {actsAs.value !== null && (
        <div class="banner is-problem" role="alert" data-testid="acts-as">
          <Icon sign="warning" size={20} />
          <p>
            <strong dir="auto">{say("acts_as", { name: actsAs.value })}</strong> {say("acts_as_long")}
          </p>
          <button type="button" onClick={() => (actsAs.value = null)}>
            {say("conflict_understood")}
          </button>
        </div>
      )}
      {trusted.value === "none" && (
        <div class="banner is-stale" data-testid="banner-none">
          <Icon sign="cut" size={20} />
          <p>
            <strong>{lineWord()}</strong> {say("nothing_known_long")}
          </p>
        </div>
      )}
      {isStale && (
        <div class="banner is-stale" data-testid="banner-stale">
          <Icon sign="cut" size={20} />
          <p>
            <strong>{lineWord()}</strong> <StaleText at={at} />{" "}
            {say(line.value === "open" && silence.value <= SILENCE_MS ? "stale_blind" : "stale_orders")}{" "}
            {line.value !== "open" && say("reconnecting")}
          </p>
        </div>
      )}
      {problems.map((problem) => (
        <div key={problem.code} class="banner is-problem" data-testid={`problem-${problem.code}`}>
          <Icon sign="warning" size={20} />
          <p>
            <strong>{problemText(problem)}</strong>{" "}
            <span class="quiet">{say("problem_since", { time: moment(Date.parse(problem.since), now.peek(), zone) })}</span>
          </p>
        </div>
      ))}
    </section>
  );
}
