// Who the page acts as. The session is a cookie, which all pages of a browser share: who signs in at one of them is who
// every one acts as from then on. So each tells the others, and asks again when somebody comes back to it.

import { batch } from "@preact/signals";
import { actsAs, session, sessionEnded } from "./app.ts";
import { get, Refused, type Session } from "./api.ts";

const AGAIN_MS = 2_000;

const others = new BroadcastChannel("livefuse");

function signature(known: Session | null): string {
  return known?.user ? `${known.user.name}\n${known.user.role}\n${known.csrf ?? ""}` : "";
}

function become(answer: Session): void {
  const before = session.peek()?.user ?? null;
  const after = answer.user;
  batch(() => {
    session.value = answer;
    if (before && !after) sessionEnded.value = true;
    if (before && after && before.name !== after.name) actsAs.value = after.name;
  });
}

/** Ask who is signed in; ends what is shown when nobody is, or nobody who may look. */
export async function loadSession(): Promise<void> {
  const known = session.peek();
  const answer = await get<Session>("/api/v1/session").catch((error: unknown): Session => {
    // A proxy's user who has no role any more is told so for every request.
    const isOut = error instanceof Refused && (error.status === 401 || error.status === 403);
    if (!isOut || !known) throw error;
    return { ...known, user: null, csrf: null };
  });
  become(answer);
}

/** Somebody has signed in or out here: the other pages of this browser are told. */
export function signedIn(answer: Session): void {
  batch(() => {
    sessionEnded.value = false;
    actsAs.value = null;
    session.value = answer;
  });
  others.postMessage(signature(answer));
}

function aWhile(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}

let isAsking = false;
let isWanted = false;

/**
 * Ask until there is an answer to a question that was put after the last call: what another page has said is not
 * forgotten because the console is away, or was just about to say who it was before.
 */
async function ask(): Promise<void> {
  isWanted = true;
  if (isAsking) return;
  isAsking = true;
  while (isWanted) {
    isWanted = false;
    await loadSession().catch(() => {
      isWanted = true;
      return aWhile();
    });
  }
  isAsking = false;
}

/** Begin: ask who is signed in, and listen to the other pages. */
export async function startSession(): Promise<void> {
  others.addEventListener("message", ({ data }: MessageEvent<string>) => {
    if (data !== signature(session.peek())) void ask();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && session.peek() !== null) void ask();
  });
  await ask();
  others.postMessage(signature(session.peek()));
}
