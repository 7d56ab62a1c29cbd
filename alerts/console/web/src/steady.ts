// Keeps cards from moving under a hand. While somebody points at the list its order stands still for a moment, under a
// finger as long as that touches it, and just after it has moved it takes no press: nothing is ever pressed on the wrong
// product.

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { guard } from "./guard.ts";

/** How long a resting pointer holds the order, and how long at most one that moves. Milliseconds. */
const REST_MS = 1_500;
const LONGEST_MS = 8_000;
/** How long the order stands at least, once it has moved: else a busy show would leave no time to press anything. */
const CALM_MS = 1_500;

/**
 * `near`: it may press at any moment. A mouse is while it is over the list. A finger is not seen coming: it always is.
 * `down`: the pointers that touch. `moved`, `held`: when it last moved, and since when the order has been held for it.
 * `jumped`: when the order last changed before it.
 */
interface Hand {
  near: boolean;
  readonly down: Set<number>;
  moved: number;
  held: number;
  jumped: number;
}

function hasOnlyFingers(): boolean {
  return window.matchMedia("(hover: none)").matches;
}

function firstHand(): Hand {
  return { near: hasOnlyFingers(), down: new Set(), moved: -REST_MS, held: 0, jumped: -CALM_MS };
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
  const [hand] = useState(firstHand);
  const shown = useRef<{ ids: readonly string[]; key: string }>({ ids: fresh, key });
  const [, redraw] = useState(0);

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const move = (event: PointerEvent): void => {
      hand.near = true;
      hand.moved = performance.now();
      // A menu of the browser may have taken the release.
      if (event.buttons !== 0) hand.down.add(event.pointerId);
      else hand.down.delete(event.pointerId);
    };
    const leave = (event: PointerEvent): void => {
      // A finger leaves with every tap, and before the click of it. Browsers have a mouse leave where there is none.
      hand.near = event.pointerType !== "mouse" || hasOnlyFingers();
      redraw((count) => count + 1);
    };
    const up = (event: PointerEvent): void => {
      if (!hand.down.delete(event.pointerId)) return;
      hand.moved = performance.now();
      redraw((count) => count + 1);
    };
    element.addEventListener("pointermove", move, { passive: true });
    element.addEventListener("pointerdown", move, { passive: true });
    element.addEventListener("pointerleave", leave, { passive: true });
    // It may go up elsewhere, or become a scroll of the page.
    window.addEventListener("pointerup", up, { passive: true });
    window.addEventListener("pointercancel", up, { passive: true });
    return () => {
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerdown", move);
      element.removeEventListener("pointerleave", leave);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
    };
  }, [list]);

  const time = performance.now();
  const changes = !sameOrder(shown.current.ids, fresh);
  const { near, moved, held, jumped } = hand;
  const isDown = hand.down.size > 0;
  const isFiltered = shown.current.key !== key;
  const restsUntil = held === 0 || time - held < LONGEST_MS ? moved + REST_MS : 0;
  const until = Math.max(restsUntil, jumped + CALM_MS);
  const holds = isDown || (near && time < until);
  const keeps = changes && holds && !isFiltered;
  const jumps = changes && !keeps && near && !isFiltered;
  if (keeps) hand.held ||= time;
  else hand.held = 0;
  if (jumps) hand.jumped = time;
  if (changes && !keeps) shown.current = { ids: fresh, key };
  else shown.current.key = key;

  // What waits is shown once the hand rests, also when nothing else happens.
  useEffect(() => {
    if (!keeps || isDown) return;
    const timer = setTimeout(() => redraw((count) => count + 1), until - time + 20);
    return () => clearTimeout(timer);
  });

  useLayoutEffect(() => {
    if (jumps && list.current) guard(list.current);
  }, [shown.current.ids]);

  const { ids } = shown.current;
  return {
    ids,
    waiting: keeps ? waitingOf(ids, fresh) : 0,
    release: () => {
      hand.moved = -REST_MS;
      hand.jumped = -CALM_MS;
      redraw((count) => count + 1);
    },
  };
}
