// Keys, and what the signs mean.

import type { JSX } from "preact";
import { remember, session, shortcuts, telling, zone } from "../app.ts";
import { dialog } from "../desk.ts";
import { STANDINGS } from "../standing.ts";
import type { Key } from "../words/say.ts";
import { SeverityBadge, StandingBadge } from "./bits.tsx";
import { Modal } from "./modal.tsx";

const KEYS: readonly (readonly [string, Key])[] = [
  ["j", "key_next"],
  ["k", "key_previous"],
  ["Enter", "key_open"],
  ["r", "key_resume"],
  ["p", "key_pause"],
  ["a", "key_acknowledge"],
  ["/", "key_search"],
  ["1–9", "key_reason"],
  ["Esc", "key_escape"],
  ["?", "key_help"],
];

export function HelpDialog(): JSX.Element {
  const { say } = telling.value;
  const close = (): void => {
    dialog.value = null;
  };
  return (
    <Modal title={say("help_title")} testid="help-dialog" close={close}>
      <dl class="keys">
        {KEYS.map(([key, word]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{say(word)}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={shortcuts.value}
          data-testid="shortcuts"
          onChange={(event) => {
            shortcuts.value = event.currentTarget.checked;
            remember("shortcuts", shortcuts.value ? "on" : "off");
          }}
        />
        {say("keys_on")}
      </label>
      <h3>{say("help_colours")}</h3>
      <p class="badges">
        {STANDINGS.map((name) => (
          <StandingBadge key={name} standing={name} />
        ))}
      </p>
      <p class="badges">
        <SeverityBadge severity="critical" />
        <SeverityBadge severity="warning" />
        <SeverityBadge severity="info" />
      </p>
      <p>
        <span class="swatch is-red" aria-hidden="true" /> {say("help_red")}
      </p>
      <p>
        <span class="swatch is-hatched" aria-hidden="true" /> {say("help_hatched")}
      </p>
      <p>{say("help_times", { zone })}</p>
      <footer>
        <p class="small quiet">
          {say("help_version", { version: session.value?.version ?? "", application: session.value?.application ?? "" })}
        </p>
        <button type="button" class="primary" data-focus="" onClick={close}>
          {say("close")}
        </button>
      </footer>
    </Modal>
  );
}
