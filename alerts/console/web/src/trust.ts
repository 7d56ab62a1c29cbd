// How far what is shown can be trusted. Pure. Silence never makes anything look as if it were on sale: what was paused
// stays on the page, and says how old it is.

import type { Health, ProblemCode } from "./api.ts";

/** Health comes every two seconds: after this silence what is shown is not current any more. */
export const SILENCE_MS = 6_000;

/** The console hears Kafka several times a second, and tells of it every two: after this it hears it no more. */
export const DEAF_MS = 8_000;

/** What the line to the console is doing. `refused`: signed out. */
export type Line = "connecting" | "open" | "lost" | "starting" | "full" | "refused";

/**
 * `none`: nothing is known yet. `stale`: what is shown is of an earlier time. `doubtful`: what is shown is what there
 * is, but something between the shop and the console is not well. `live`: all is well.
 */
export type Trust = "none" | "stale" | "doubtful" | "live";

/** With these the console itself cannot see what happens. */
const BLIND: readonly ProblemCode[] = ["broker_away"];
/** These stop orders, but what is shown is right. */
const HARMLESS: readonly ProblemCode[] = ["audit_unavailable"];

/** Whether the console does not hear Kafka, at this time by the console's clock (ms). */
export function isBlind(health: Health, now: number): boolean {
  if (health.heard_at === null || now - Date.parse(health.heard_at) > DEAF_MS) return true;
  return health.problems.some((problem) => BLIND.includes(problem.code));
}

export function trust(line: Line, silenceMs: number, health: Health | null, now: number): Trust {
  if (health === null) return "none";
  if (line !== "open" || silenceMs > SILENCE_MS || isBlind(health, now)) return "stale";
  return health.problems.some((problem) => !HARMLESS.includes(problem.code)) ? "doubtful" : "live";
}

/** Whether something may be put on sale: only where the page shows what holds now. */
export function mayPutOnSale(trusted: Trust): boolean {
  return trusted === "live" || trusted === "doubtful";
}
