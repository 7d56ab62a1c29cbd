// Keeps cards from moving under a hand. While somebody points at the list its order stands still for a moment, and
// just after it has moved it takes no click: nothing is ever pressed on the wrong product.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** How long a resting pointer holds the order, and how long at most one that moves. Milliseconds. */
const REST_MS = 1_500;
const LONGEST_MS = 8_000;
const GUARD_MS = 400;

interface Hand {
  inside: boolean;
  moved: number;
  held: number;
}

function sameOrder(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}

/** How many entries of `fresh` are not where they stand in `shown`: what waits to be shown. */
function waitingOf(shown: readonly string[], fresh: readonly string[]): number {
  const known = new Set(shown);
  const now = new Set(fresh);
  return fresh.filter((id) => !known.has(id)).length + shown.filter((id) => !now.has(id)).length;
}

export interface Steady {
  readonly ids: readonly string[];
  readonly waiting: number;
  /** Show what waits, now. */
  readonly release: () => void;
}

/** The order to show. `fresh` is the order as it should be; `key` changes with the filter: then nothing is held. */
export function useSteady(list: RefObject<HTMLElement | null>, fresh: readonly string[], key: string): Steady {
  const hand = useRef<Hand>({ inside: false, moved: 0, held: 0 });
  const shown = useRef<{ ids: readonly string[]; key: string }>({ ids: fresh, key });
  const [, redraw] = useState(0);

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const touch = (): void => {
      hand.current.inside = true;
      hand.current.moved = performance.now();
    };
    const leave = (): void => {
      hand.current.inside = false;
      redraw((count) => count + 1);
    };
    element.addEventListener("pointermove", touch, { passive: true });
    element.addEventListener("pointerdown", touch, { passive: true });
    element.addEventListener("pointerleave", leave, { passive: true });
    return () => {
      element.removeEventListener("pointermove", touch);
      element.removeEventListener("pointerdown", touch);
      element.removeEventListener("pointerleave", leave);
    };
  }, [list]);

  const time = performance.now();
  const changes = !sameOrder(shown.current.ids, fresh);
  const { inside, moved, held } = hand.current;
  const isFiltered = shown.current.key !== key;
  const holds = inside && time - moved < REST_MS && (held === 0 || time - held < LONGEST_MS);
  const keeps = changes && holds && !isFiltered;
  const jumps = changes && !keeps && inside && !isFiltered;
  if (keeps) hand.current.held ||= time;
  else hand.current.held = 0;
  if (changes && !keeps) shown.current = { ids: fresh, key };
  else shown.current.key = key;

  // What waits is shown once the hand rests, also when nothing else happens.
  useEffect(() => {
    if (!keeps) return;
    const timer = setTimeout(() => redraw((count) => count + 1), REST_MS - (time - moved) + 20);
    return () => clearTimeout(timer);
  });

  useEffect(() => {
    const element = list.current;
    if (!element || !jumps) return;
    element.classList.add("is-guarded");
    const timer = setTimeout(() => element.classList.remove("is-guarded"), GUARD_MS);
    return () => {
      clearTimeout(timer);
      element.classList.remove("is-guarded");
    };
  }, [shown.current.ids]);

  const { ids } = shown.current;
  return {
    ids,
    waiting: keeps ? waitingOf(ids, fresh) : 0,
    release: () => {
      hand.current.moved = 0;
      redraw((count) => count + 1);
    },
  };
}
