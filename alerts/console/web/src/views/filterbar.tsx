// What there is of each standing, and the filter.

import { batch } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { filter, state, telling } from "../app.ts";
import { choices, EVERYTHING, isEverything, type Filter } from "../filter.ts";
import { STANDINGS } from "../standing.ts";
import { useSlowly } from "../slowly.ts";
import { Icon, STANDING_SIGNS } from "./icons.tsx";

function set(change: Partial<Filter>): void {
  filter.value = { ...filter.peek(), ...change };
}

export function Counts(): JSX.Element {
  const { say } = telling.value;
  return (
    <div class="counts" role="group" aria-label={say("state")}>
      {STANDINGS.map((name) => {
        const count = state.value?.counts[name] ?? 0;
        const isOn = filter.value.state === name;
        if (name === "open" && count === 0 && !isOn) return null;
        return (
          <button
            key={name}
            type="button"
            class={`count is-${name}${count ? "" : " is-zero"}`}
            aria-pressed={isOn}
            data-testid={`count-${name}`}
            onClick={() => set({ state: isOn ? "" : name })}
          >
            <Icon sign={STANDING_SIGNS[name]} size={18} />
            <strong class="num">{count}</strong> <span>{say(`count_${name}`)}</span>
          </button>
        );
      })}
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly from: readonly string[];
  readonly testid: string;
  readonly choose: (value: string) => void;
}

function Choice({ label, value, from, testid, choose }: ChoiceProps): JSX.Element {
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={value} data-testid={testid} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{telling.value.say("all")}</option>
        {from.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

export function FilterBar(): JSX.Element {
  const { say } = telling.value;
  const known = state.value;
  // What there is to choose from changes seldom.
  const present = useSlowly(known?.products, 1_000);
  const products = [...(present?.values() ?? [])];
  const watched = known?.watchlist ?? [];
  const { text, room, rule } = filter.value;
  const [rooms, rules] = useMemo(
    (): [string[], string[]] => [
      choices([...products, ...watched].map((one) => one.room_id), room),
      choices([...products.flatMap(({ fuses }) => fuses.map((fuse) => fuse.rule)), ...watched.map((one) => one.rule)], rule),
    ],
    [present, known?.watchlist, room, rule],
  );
  return (
    <search class="filter" aria-label={say("filter_label")}>
      <label class="search">
        <Icon sign="search" />
        <span class="hidden">{say("search")}</span>
        <input
          type="search"
          value={text}
          placeholder={say("filter_text")}
          data-testid="search"
          aria-keyshortcuts="/"
          onInput={(event) => set({ text: event.currentTarget.value })}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <Choice
        label={say("room")}
        value={room}
        from={rooms}
        testid="filter-room"
        choose={(value) => set({ room: value })}
      />
      <Choice
        label={say("rule")}
        value={rule}
        from={rules}
        testid="filter-rule"
        choose={(value) => set({ rule: value })}
      />
      {!isEverything(filter.value) && (
        <button type="button" class="plain" data-testid="filter-clear" onClick={() => batch(() => (filter.value = EVERYTHING))}>
          <Icon sign="close" /> {say("filter_clear")}
        </button>
      )}
    </search>
  );
}
