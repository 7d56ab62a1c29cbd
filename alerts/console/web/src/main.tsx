// The console's page begins here.

import { effect } from "@preact/signals";
import { render } from "preact";
import { language, session, theme } from "./app.ts";
import { callOut, forgetCalls, startAttention } from "./attention.ts";
import { entries, leaveDesk, orders } from "./desk.ts";
import { startGuard } from "./guard.ts";
import { startKeys } from "./keys.ts";
import { follow } from "./live.ts";
import { startRouter } from "./router.ts";
import { startSession } from "./session.ts";
import { App } from "./views/app.tsx";

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
});
effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

startRouter();
startKeys();
startGuard();
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
  leaveDesk();
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

void startSession();
const root = document.getElementById("app");
if (root) render(<App />, root);
