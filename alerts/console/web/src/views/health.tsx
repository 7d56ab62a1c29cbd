// How far what is shown can be trusted.

import type { JSX } from "preact";
import { useComputed } from "@preact/signals";
import { line, now, silence, state, telling, trusted } from "../app.ts";
import type { Health, Input } from "../api.ts";
import { duration, number } from "../format.ts";
import { SILENCE_MS } from "../trust.ts";
import { Age, AsOf } from "./bits.tsx";
import { Icon } from "./icons.tsx";

/** An input that has said nothing for so long is called quiet: at night that is nothing bad. */
const QUIET_MS = 120_000;

/** The line in one word. */
export function lineWord(): string {
  const { say } = telling.value;
  if (line.value !== "open") return say(line.value === "refused" ? "line_lost" : `line_${line.value}`);
  if (silence.value > SILENCE_MS) return say("line_silent");
  if (trusted.value === "stale") return say("line_blind");
  return say(trusted.value === "doubtful" ? "line_doubtful" : "line_open");
}

function InputCell({ one }: { one: Input }): JSX.Element {
  const { say } = telling.value;
  const isQuiet = useComputed(() => one.last_at !== null && now.value - Date.parse(one.last_at) > QUIET_MS).value;
  return (
    <div data-testid={`input-${one.input}`} title={one.topic}>
      <dt>{say("last_record", { input: say(`input_${one.input}`) })}</dt>
      <dd class={isQuiet ? "num is-quiet" : "num"}>
        {one.last_at === null ? say("never") : <Age at={one.last_at} ago />}
        {isQuiet && ` · ${say("quiet")}`}
        {one.lag > 0 && <span class="is-waiting"> · {say("records_wait", { n: one.lag })}</span>}
      </dd>
    </div>
  );
}

function Processes({ health }: { health: Health }): JSX.Element {
  const { say, language } = telling.value;
  const count = (value: number | null): string => (value === null ? say("unknown") : number(value, language));
  const lag = (records: number): string => (records ? say("records_wait", { n: records }) : say("nothing_waits"));
  return (
    <>
      <div>
        <dt>{say("intakes")}</dt>
        <dd class="num" data-testid="intakes">
          {count(health.intakes)} <span class="quiet">· {lag(health.intake_lag)}</span>
        </dd>
      </div>
      <div>
        <dt>{say("workers")}</dt>
        <dd class="num" data-testid="workers">
          {count(health.workers)} <span class="quiet">· {lag(health.worker_lag)}</span>
        </dd>
      </div>
      <div>
        <dt>{say("behind")}</dt>
        <dd class="num">{duration(health.behind_s, language)}</dd>
      </div>
      <div>
        <dt>{say("heard")}</dt>
        <dd>{health.heard_at === null ? say("unknown") : <Age at={health.heard_at} ago />}</dd>
      </div>
    </>
  );
}

function Connection(): JSX.Element {
  const { say } = telling.value;
  const text = useComputed(() => telling.value.say("ago", { age: duration(silence.value / 1000, telling.value.language) }));
  return (
    <p class="connection">
      <Icon sign={trusted.value === "stale" || trusted.value === "none" ? "cut" : "live"} />
      <strong>{lineWord()}</strong>
      <span class="quiet">
        {" "}
        · {say("last_message")} <span class="num">{text}</span>
      </span>
    </p>
  );
}

export function HealthPanel(): JSX.Element {
  const { say } = telling.value;
  const health = state.value?.health ?? null;
  const problems = health?.problems.length ?? 0;
  return (
    <section class="panel health" aria-labelledby="health-title" data-testid="health">
      <header class="section-head">
        <h2 id="health-title">{say("health_title")}</h2>
        {trusted.value === "live" && problems === 0 && (
          <span class="well">
            <Icon sign="check" size={14} /> {say("all_well")}
          </span>
        )}
        {problems > 0 && (
          <span class="unwell">
            <Icon sign="warning" size={14} /> {say("not_well", { n: problems })}
          </span>
        )}
        <AsOf />
      </header>
      <Connection />
      {health && (
        <dl class="vitals">
          {health.inputs.map((one) => (
            <InputCell key={one.input} one={one} />
          ))}
          <Processes health={health} />
        </dl>
      )}
    </section>
  );
}
