// The page's state as signals, and what it remembers between visits.

import { computed, signal } from "@preact/signals";
import { type Role, type Session } from "./api.ts";
import type { Telling } from "./facts.ts";
import { EVERYTHING, type Filter } from "./filter.ts";
import type { Language } from "./format.ts";
import type { State } from "./store.ts";
import { isBlind, trust, type Line, type Trust } from "./trust.ts";
import { sayIn } from "./words/say.ts";

export type Theme = "auto" | "dark" | "light";

function remembered<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
  try {
    const found = localStorage.getItem(`livefuse.${name}`);
    return allowed.find((value) => value === found) ?? otherwise;
  } catch {
    return otherwise; // Storage may be forbidden; then the page forgets.
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`livefuse.${name}`, value);
  } catch {
    // As above.
  }
}

const speaksChinese = navigator.languages.some((tag) => tag.toLowerCase().startsWith("zh"));

export const language = signal<Language>(remembered("language", ["zh", "en"], speaksChinese ? "zh" : "en"));
export const theme = signal<Theme>(remembered("theme", ["auto", "dark", "light"], "auto"));
export const shortcuts = signal<boolean>(remembered("shortcuts", ["on", "off"], "on") === "on");

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const telling = computed<Telling>(() => ({ say: sayIn(language.value), language: language.value, zone }));

/** Null until the console has said who asks. */
export const session = signal<Session | null>(null);
export const sessionEnded = signal(false);
/** The name of who has signed in elsewhere while the page acted as somebody else; null once that is read. */
export const actsAs = signal<string | null>(null);
export const role = computed<Role | null>(() => session.value?.user?.role ?? null);
export const mayOrder = computed(() => role.value === "operator" || role.value === "admin");

export const state = signal<State | null>(null);
export const line = signal<Line>("connecting");
/** Milliseconds since the last message of the console; moves with `now`. */
export const silence = signal(0);
/** The console's time, milliseconds, once a second. */
export const now = signal(Date.now());
export const trusted = computed<Trust>(() =>
  trust(line.value, silence.value, state.value?.health ?? null, now.value),
);
/** The time of what is shown: the console's last word, or of Kafka's where the console cannot hear it. */
export const asOf = computed(() => {
  const known = state.value;
  if (!known) return null;
  const isDeaf = known.health.heard_at !== null && isBlind(known.health, now.value);
  const heard = isDeaf ? Date.parse(known.health.heard_at ?? "") : known.now;
  return Math.min(heard, known.now);
});

export const filter = signal<Filter>(EVERYTHING);

export type Panel = "paused" | "watch" | "feed" | "health";
/** Where the window is narrow one panel of the board is shown at a time. */
export const panel = signal<Panel>("paused");

/** The product that keys act on. */
export const chosen = signal<string | null>(null);
