// Fields that dialogs of orders share: the reason, and how long.

import type { JSX } from "preact";
import { telling } from "../app.ts";
import type { Action } from "../api.ts";
import { duration } from "../format.ts";
import type { Say } from "../words/say.ts";

const MOST_ALLOW_S = 24 * 3600;
const MOST_PAUSE_S = 30 * 86_400;
const MINUTES: Partial<Record<Action, readonly number[]>> = { pause: [10, 30, 60], allow: [15, 30, 60, 120] };

export function quickReasons(action: Action, say: Say): string[] {
  return say(`quick_${action}`).split("|");
}

interface ReasonProps {
  readonly action: Action;
  readonly value: string;
  readonly isMissing: boolean;
  readonly change: (value: string) => void;
}

/** Quick reasons and free text. The first quick reason has the focus: one press of a digit or of Enter takes it. */
export function ReasonField({ action, value, isMissing, change }: ReasonProps): JSX.Element {
  const { say } = telling.value;
  return (
    <fieldset class="reason-field">
      <legend>{say("reason")}</legend>
      <div class="quick">
        {quickReasons(action, say).map((text, index) => (
          <button
            key={text}
            type="button"
            class="choice-button"
            aria-pressed={value === text}
            aria-keyshortcuts={String(index + 1)}
            data-testid={`quick-${index + 1}`}
            data-focus={index === 0 ? "" : undefined}
            onClick={() => change(value === text ? "" : text)}
          >
            <kbd aria-hidden="true">{index + 1}</kbd>
            {text}
          </button>
        ))}
      </div>
      <label class="text-field">
        <span>{say("reason_free")}</span>
        <input
          type="text"
          value={value}
          maxLength={500}
          autocomplete="off"
          required
          data-testid="reason"
          aria-invalid={isMissing}
          aria-describedby="reason-hint"
          onInput={(event) => change(event.currentTarget.value)}
        />
      </label>
      <p id="reason-hint" class={isMissing ? "field-error" : "small quiet"} role={isMissing ? "alert" : undefined}>
        {say(isMissing ? "reason_missing" : "reason_hint")}
      </p>
    </fieldset>
  );
}

/** `null`: until released. NaN: not said in a way that can be understood. Seconds. */
export type Long = number | null;

export function firstLong(action: Action): Long {
  return action === "allow" ? 30 * 60 : null;
}

export function isLong(action: Action, long: Long): boolean {
  if (long === null) return action !== "allow";
  return Number.isInteger(long) && long >= 60 && long <= (action === "allow" ? MOST_ALLOW_S : MOST_PAUSE_S);
}

interface LongProps {
  readonly action: Action;
  readonly value: Long;
  readonly change: (value: Long) => void;
}

export function LongField({ action, value, change }: LongProps): JSX.Element | null {
  const { say, language } = telling.value;
  const offered = MINUTES[action];
  if (!offered) return null;
  const isOther = value !== null && !offered.some((minutes) => minutes * 60 === value);
  const most = duration(action === "allow" ? MOST_ALLOW_S : MOST_PAUSE_S, language);
  return (
    <fieldset class="long-field">
      <legend>{say("how_long")}</legend>
      <div class="quick">
        {action === "pause" && (
          <button type="button" class="choice-button" aria-pressed={value === null} onClick={() => change(null)}>
            {say("long_released")}
          </button>
        )}
        {offered.map((minutes) => (
          <button
            key={minutes}
            type="button"
            class="choice-button"
            aria-pressed={value === minutes * 60}
            data-testid={`long-${minutes}`}
            onClick={() => change(minutes * 60)}
          >
            {minutes % 60 === 0 ? say("long_hours", { n: minutes / 60 }) : say("long_minutes", { n: minutes })}
          </button>
        ))}
        <label class="other-long">
          <span class="small">{say("long_custom")}</span>
          <input
            type="number"
            inputMode="numeric"
            min={1}
            max={action === "allow" ? 1440 : 43_200}
            value={isOther && !Number.isNaN(value) ? value / 60 : ""}
            aria-invalid={isOther && !isLong(action, value)}
            data-testid="long-custom"
            onInput={(event) => {
              const minutes = event.currentTarget.valueAsNumber;
              change(Number.isNaN(minutes) ? firstLong(action) : Math.round(minutes * 60));
            }}
          />
        </label>
      </div>
      {!isLong(action, value) && (
        <p class="field-error" role="alert">
          {say("long_wrong", { most })}
        </p>
      )}
    </fieldset>
  );
}
