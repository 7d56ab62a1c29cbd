// The bar across the top: where one is, how the line is, the time, and one's own settings.

import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { language, mayOrder, now, remember, role, session, telling, theme, trusted, zone } from "../app.ts";
import { post } from "../api.ts";
import { dialog } from "../desk.ts";
import { clock, zoneName } from "../format.ts";
import { loadSession, signedIn } from "../session.ts";
import { follows, pathOf, place, type Place } from "../router.ts";
import { soundOn, toggleSound } from "../sound.ts";
import { lineWord } from "./health.tsx";
import { Icon } from "./icons.tsx";

export function LanguageButton(): JSX.Element {
  const { say } = telling.value;
  const other = language.value === "zh" ? "en" : "zh";
  return (
    <button
      type="button"
      class="plain"
      lang={other === "zh" ? "zh-CN" : "en"}
      title={say("language_label")}
      data-testid="language"
      onClick={() => {
        language.value = other;
        remember("language", other);
      }}
    >
      {say("language")}
    </button>
  );
}

const THEMES = ["auto", "dark", "light"] as const;

export function ThemeButton(): JSX.Element {
  const { say } = telling.value;
  const text = `${say("theme")}: ${say(`theme_${theme.value}`)}`;
  return (
    <button
      type="button"
      class="icon-button"
      title={text}
      aria-label={text}
      data-testid="theme"
      onClick={() => {
        const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
        theme.value = next;
        remember("theme", next);
      }}
    >
      <Icon sign="theme" />
    </button>
  );
}

function SoundButton(): JSX.Element {
  const { say } = telling.value;
  return (
    <button
      type="button"
      class={soundOn.value ? "plain" : "plain is-off"}
      aria-pressed={soundOn.value}
      title={soundOn.value ? undefined : say("sound_off_hint")}
      data-testid="sound"
      onClick={() => void toggleSound()}
    >
      <Icon sign={soundOn.value ? "bell" : "muted"} /> <span class="wide-only">{say(soundOn.value ? "sound_on" : "sound_off")}</span>
    </button>
  );
}

function LinePill(): JSX.Element {
  return (
    <p class={`line-pill is-${trusted.value}`} data-testid="line" data-trust={trusted.value}>
      <Icon sign={trusted.value === "live" ? "live" : trusted.value === "doubtful" ? "warning" : "cut"} />
      <span>{lineWord()}</span>
    </p>
  );
}

function Time(): JSX.Element {
  const time = useComputed(() => clock(now.value, zone));
  return (
    <p class="time" title={zone} data-testid="clock">
      <strong class="num">{time}</strong> <span class="quiet">{zoneName(now.peek(), language.value, zone)}</span>
    </p>
  );
}

function NavLink({ to, word, testid }: { to: Place; word: string; testid: string }): JSX.Element {
  const isHere = place.value.view === to.view;
  return (
    <a href={pathOf(to)} aria-current={isHere ? "page" : undefined} onClick={follows(to)} data-testid={testid}>
      {word}
    </a>
  );
}

async function signOut(): Promise<void> {
  await post("/api/v1/logout", {}, session.peek()?.csrf ?? null).catch(() => undefined);
  await loadSession().catch(() => undefined);
  const known = session.peek();
  if (known) signedIn(known);
}

export function TopBar(): JSX.Element {
  const { say } = telling.value;
  const user = session.value?.user;
  return (
    <header class="top">
      <p class="brand" title={session.value?.application}>
        live<strong>fuse</strong>
      </p>
      <nav aria-label={say("nav")}>
        <NavLink to={{ view: "board" }} word={say("board")} testid="nav-board" />
        {mayOrder.value && <NavLink to={{ view: "audit" }} word={say("audit")} testid="nav-audit" />}
      </nav>
      <span class="space" />
      {user && (
        <p class="user" data-testid="user">
          <bdi>{user.name}</bdi> <span class="chip">{role.value && say(`role_${role.value}`)}</span>
        </p>
      )}
      <LinePill />
      <Time />
      <SoundButton />
      <button
        type="button"
        class="icon-button"
        title={say("help")}
        aria-label={say("help")}
        aria-keyshortcuts="?"
        data-testid="help"
        onClick={() => (dialog.value = { kind: "help" })}
      >
        <Icon sign="key" />
      </button>
      <ThemeButton />
      <LanguageButton />
      <button
        type="button"
        class="icon-button"
        title={say("sign_out")}
        aria-label={say("sign_out")}
        data-testid="sign-out"
        onClick={() => void signOut()}
      >
        <Icon sign="out" />
      </button>
    </header>
  );
}
