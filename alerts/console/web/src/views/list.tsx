// The list of products. A thousand of them stay smooth: only those near the window are in the document.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { chosen, panel, telling } from "../app.ts";
import type { Product } from "../api.ts";
import { useSteady } from "../steady.ts";
import { Card } from "./card.tsx";
import { Icon } from "./icons.tsx";

const CHUNK = 10;
const CARD_PX = 150;
const AHEAD = "900px";

interface ChunkProps {
  readonly ids: readonly string[];
  readonly find: (id: string) => Product | undefined;
  readonly last: (id: string) => Product | undefined;
  readonly near: boolean;
}

function Chunk({ ids, find, last, near }: ChunkProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const [isNear, setNear] = useState(near);
  const height = useRef(ids.length * CARD_PX);

  useEffect(() => {
    const box = element.current;
    if (!box) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry) return;
        if (!entry.isIntersecting) height.current = box.offsetHeight || height.current;
        setNear(entry.isIntersecting);
      },
      { rootMargin: `${AHEAD} 0px` },
    );
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  // What has the keyboard's focus, or is chosen, stays in the document wherever the window is.
  const keeps = isNear || (chosen.value !== null && ids.includes(chosen.value));
  return (
    <div ref={element} class="chunk" style={keeps ? {} : { height: `${height.current}px` }}>
      {keeps &&
        ids.map((id) => {
          const product = find(id) ?? last(id);
          if (!product) return null;
          return <Card key={id} product={product} isChosen={chosen.value === id} isGone={find(id) === undefined} />;
        })}
    </div>
  );
}

interface Props {
  readonly products: readonly Product[];
  readonly filterKey: string;
}

export function ProductList({ products, filterKey }: Props): JSX.Element {
  const { say } = telling.value;
  const list = useRef<HTMLDivElement>(null);
  const known = new Map(products.map((product) => [product.product_id, product]));
  const remembered = useRef(known);
  const steady = useSteady(list, [...known.keys()], filterKey);
  // A product that is gone keeps its place, without orders, while somebody points at the list.
  for (const id of steady.ids) {
    const product = known.get(id);
    if (product) remembered.current.set(id, product);
  }
  useEffect(() => {
    if (steady.waiting === 0) remembered.current = known;
  });
  shownIds = steady.ids;
  shown = known;
  useEffect(
    () => () => {
      shownIds = [];
      shown = new Map();
    },
    [],
  );
  const chunks: string[][] = [];
  for (let begin = 0; begin < steady.ids.length; begin += CHUNK) chunks.push(steady.ids.slice(begin, begin + CHUNK));
  return (
    <div ref={list} class="list" data-testid="product-list">
      {steady.waiting > 0 && (
        <p class="waiting">
          <button type="button" data-testid="waiting" onClick={steady.release}>
            <Icon sign="down" /> {say("waiting_new", { n: steady.waiting })}
          </button>
        </p>
      )}
      {chunks.map((ids, index) => (
        <Chunk
          key={index}
          ids={ids}
          near={index < 2}
          find={(id) => known.get(id)}
          last={(id) => remembered.current.get(id)}
        />
      ))}
    </div>
  );
}

/** The products in the order in which they are shown: what the keys walk along. */
let shownIds: readonly string[] = [];
/** Those of them that there still are, as they are shown. */
let shown: ReadonlyMap<string, Product> = new Map();

/** A product as the list shows it; null where it does not, or says that it is gone. */
export function listed(id: string): Product | null {
  return shownIds.includes(id) ? (shown.get(id) ?? null) : null;
}

function cardOf(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-testid="product-card"][data-product-id="${CSS.escape(id)}"]`);
}

function isDrawn(element: HTMLElement): boolean {
  return element.getClientRects().length > 0;
}

/** Whether some of a product's card can be seen. */
export function isInSight(id: string): boolean {
  const card = cardOf(id);
  if (!card || !isDrawn(card)) return false;
  const { top, bottom } = card.getBoundingClientRect();
  const head = document.querySelector(".head")?.getBoundingClientRect().bottom ?? 0;
  return bottom > head && top < window.innerHeight;
}

/** Choose the next or the previous product and bring it into sight. */
export function choose(step: 1 | -1): void {
  if (shownIds.length === 0) return;
  const at = chosen.value === null ? -1 : shownIds.indexOf(chosen.value);
  const next = at < 0 ? (step > 0 ? 0 : shownIds.length - 1) : Math.min(Math.max(at + step, 0), shownIds.length - 1);
  const id = shownIds[next];
  if (id === undefined) return;
  panel.value = "paused";
  chosen.value = id;
  reveal(id);
}

/** Bring a product's card into sight and give it the focus. */
export function reveal(id: string): void {
  soon(() => cardOf(id), (card) => {
    if (chosen.peek() !== id) return;
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  });
}

/**
 * Do something with an element, at once or when it is drawn: Preact draws in a microtask, and this one comes after that.
 * So it is done before the next key; a frame later, that one would find the focus where it was.
 */
export function soon<T extends HTMLElement>(find: () => T | null, act: (found: T) => void): void {
  const isDone = (): boolean => {
    const found = find();
    if (!found || !isDrawn(found)) return false;
    act(found);
    return true;
  };
  if (isDone()) return;
  queueMicrotask(() => {
    if (!isDone()) requestAnimationFrame(isDone);
  });
}
