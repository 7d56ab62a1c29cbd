// The console's page begins here.

import { effect } from "@preact/signals";
import { render } from "preact";
import { language, session, theme } from "./app.ts";
import { callOut, forgetCalls, startAttention } from "./attention.ts";
import { entries, orders } from "./desk.ts";
import { startKeys } from "./keys.ts";
import { follow, loadSession } from "./live.ts";
import { startRouter } from "./router.ts";
import { App } from "./views/app.tsx";

const AGAIN_MS = 2_000;

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
});
effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

startRouter();
startKeys();
startAttention();

// A line is open as long as somebody is signed in, and it is that person's.
let stop: (() => void) | null = null;
let whose: string | null = null;
effect(() => {
  const user = session.value?.user ?? null;
  const name = user ? `${user.name} ${user.role}` : null;
  if (name === whose) return;
  whose = name;
  stop?.();
  stop = null;
  forgetCalls();
  if (name === null) return;
  stop = follow((after, events) => {
    callOut(after);
    orders.heard(events);
    orders.moved(after.sequences);
  });
});

// An order that waits is not lost by closing the page in silence.
window.addEventListener("beforeunload", (event) => {
  if (entries.peek().some((entry) => entry.stage === "held")) event.preventDefault();
});

async function begin(): Promise<void> {
  try {
    await loadSession();
  } catch {
    setTimeout(() => void begin(), AGAIN_MS);
  }
}

void begin();
const root = document.getElementById("app");
if (root) render(<App />, root);
