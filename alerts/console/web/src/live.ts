// The line to the console: reads its stream, keeps the state, knows how long it has been silent.

import { batch } from "@preact/signals";
import { line, now, silence, state } from "./app.ts";
import type { Delta, FuseEvent, Refusal, Snapshot } from "./api.ts";
import { loadSession } from "./session.ts";
import { parser, type Message } from "./sse.ts";
import { merge, replace, type State } from "./store.ts";
import type { Line } from "./trust.ts";

/** Nothing for so long although health comes every two seconds: the line is dead, whatever the browser thinks. */
const DEAD_MS = 20_000;
/** How many pages of one browser may have a line where each needs a connection of its own. */
const MOST_LINES = 4;
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

type Heard = (after: State, events: readonly FuseEvent[]) => void;

let latest: State | null = null;
let scheduled = false;
let fresh: FuseEvent[] = [];
let lastWall = Date.now();
let lastTicks = performance.now();
/** The console's clock less this page's. */
let offset = 0;

/** The console's time, milliseconds. */
export function consoleNow(): number {
  return performance.now() + performance.timeOrigin + offset;
}

/** Look at the clock: how long has the console been silent? */
export function tick(): void {
  // The machine may have slept, and its clock may be set: the larger of both says how long nothing has come.
  const silent = Math.max(Date.now() - lastWall, performance.now() - lastTicks, 0);
  batch(() => {
    silence.value = silent;
    now.value = consoleNow();
  });
}

function synchronise(at: string, isSnapshot: boolean): void {
  const measured = Date.parse(at) - performance.now() - performance.timeOrigin;
  // The message that was under way for the shortest time tells the clock best; a jump tells of sleep.
  const jumped = Math.abs(measured - offset) > 5_000;
  if (isSnapshot || jumped || measured > offset) offset = measured;
}

function publish(heard: Heard): void {
  scheduled = false;
  const after = latest;
  if (!after) return;
  const events = fresh;
  fresh = [];
  batch(() => {
    state.value = after;
    line.value = "open";
    tick();
  });
  heard(after, events);
}

function schedule(heard: Heard): void {
  if (scheduled) return;
  scheduled = true;
  // A hidden page has no frames, but its title and sound still count.
  if (document.hidden) setTimeout(() => publish(heard), 0);
  else requestAnimationFrame(() => publish(heard));
}

function take(message: Message, heard: Heard): void {
  lastWall = Date.now();
  lastTicks = performance.now();
  if (message.event === "snapshot") {
    const snapshot = JSON.parse(message.data) as Snapshot;
    latest = replace(latest, snapshot);
    fresh.push(...snapshot.events);
    synchronise(snapshot.now, true);
  } else if (message.event === "delta" && latest) {
    const delta = JSON.parse(message.data) as Delta;
    latest = merge(latest, delta);
    fresh.push(...(delta.events ?? []));
    synchronise(delta.now, false);
  } else if (message.event === "ping" && latest) {
    const ping = JSON.parse(message.data) as { now: string };
    latest = { ...latest, now: Date.parse(ping.now) };
    synchronise(ping.now, false);
  }
  schedule(heard);
}

async function refusedLine(response: Response): Promise<Line> {
  if (response.status === 401 || response.status === 403) return "refused";
  const refusal = (await response.json().catch(() => null)) as Refusal | null;
  if (refusal?.error === "starting") return "starting";
  return refusal?.error === "too_many_streams" ? "full" : "lost";
}

/** Read one stream to its end; returns what the line is doing after that. `again`: the console wants to be asked anew. */
async function read(signal: AbortSignal, heard: Heard, abort: () => void): Promise<Line | "again"> {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (latest) headers["Last-Event-ID"] = latest.id;
  const response = await fetch("/api/v1/stream", { headers, signal, cache: "no-store", credentials: "same-origin" });
  if (!response.ok || !response.body) return refusedLine(response);
  const parse = parser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const began = performance.now();
  const dog = setInterval(() => {
    if (performance.now() - Math.max(lastTicks, began) > DEAD_MS) abort();
  }, 1_000);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "lost";
      for (const message of parse(value)) {
        if (message.event === "again") return "again";
        take(message, heard);
      }
    }
  } finally {
    clearInterval(dog);
    void reader.cancel().catch(() => undefined);
  }
}

/** Whether many requests share one connection, as with HTTP/2. */
function sharesConnection(): boolean {
  const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return /^h[23]/.test(page?.nextHopProtocol ?? "");
}

/**
 * Read a stream unless too many pages of this browser do. Browsers open six connections to a host and no more: a sixth
 * stream would leave none for orders, and every page's pause would wait in silence.
 */
async function readInTurn(signal: AbortSignal, heard: Heard, abort: () => void): Promise<Line | "again"> {
  if (!("locks" in navigator) || sharesConnection()) return read(signal, heard, abort);
  for (let number = 0; number < MOST_LINES; number += 1) {
    const after = await navigator.locks.request(`livefuse-line-${number}`, { ifAvailable: true }, (lock) =>
      lock ? read(signal, heard, abort) : null,
    );
    if (after !== null) return after;
  }
  return "full";
}

function forget(): void {
  latest = null;
  fresh = [];
  batch(() => {
    state.value = null;
    line.value = "connecting";
  });
}

/** Keep a line open until it is stopped; what is known is forgotten then. */
export function follow(heard: Heard): () => void {
  let stopped = false;
  let current = new AbortController();
  let wake: () => void = () => undefined;

  async function loop(): Promise<void> {
    let wait = SHORTEST_WAIT_MS;
    while (!stopped) {
      current = new AbortController();
      const before = latest;
      const after = await readInTurn(current.signal, heard, () => current.abort()).catch((): Line => "lost");
      if (stopped) return;
      // Nothing is lost: it goes on with the next message, unless the person may not look any more.
      if (after === "again") continue;
      line.value = after;
      tick();
      if (after === "refused") await loadSession().catch(() => undefined);
      if (latest !== before) wait = SHORTEST_WAIT_MS;
      // Many pages lose their line at once: they come back one after the other.
      const pause = wait * (0.5 + Math.random());
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, pause);
      });
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  const clock = setInterval(tick, 1_000);
  const online = (): void => wake();
  window.addEventListener("online", online);
  void loop();
  return () => {
    stopped = true;
    clearInterval(clock);
    window.removeEventListener("online", online);
    current.abort();
    forget();
  };
}
