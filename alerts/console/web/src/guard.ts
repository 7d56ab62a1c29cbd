// What is pressed is what was meant: nothing that slips under a hand between its aim and its press is pressed.

/** So long what has just moved takes no press, milliseconds. */
const GUARD_MS = 400;
/** A click that comes so much later than a finger has gone is not that finger's, milliseconds. */
const LATE_MS = 1_000;

const timers = new WeakMap<Element, number>();

/** Let nothing in an element be pressed for a moment, for it has moved. */
export function guard(element: Element): void {
  clearTimeout(timers.get(element));
  element.classList.add("is-guarded");
  timers.set(
    element,
    window.setTimeout(() => element.classList.remove("is-guarded"), GUARD_MS),
  );
}

/** What a press at an element means: which product, and which of its buttons. */
function meaning(target: EventTarget | null): string {
  if (!(target instanceof Element)) return "";
  const product = target.closest<HTMLElement>("[data-product-id]");
  const button = target.closest<HTMLElement>("button, a");
  // The list is drawn anew while a finger rests on it: what counts is what is written there, not which element it is.
  return product ? `${product.dataset["productId"]}\n${button?.dataset["testid"] ?? button?.getAttribute("href") ?? ""}` : "";
}

/**
 * A tap counts only where the finger came down. Browsers look for what is under it again when it goes up, and by then
 * another product, or another button, may be there.
 */
export function startGuard(): void {
  let touched: { readonly meant: string } | null = null;
  const down = (event: PointerEvent): void => {
    if (event.isPrimary) touched = { meant: meaning(event.target) };
  };
  const up = (): void => {
    const gone = touched;
    setTimeout(() => {
      if (touched === gone) touched = null;
    }, LATE_MS);
  };
  const cancel = (): void => {
    touched = null;
  };
  const click = (event: MouseEvent): void => {
    const before = touched;
    touched = null;
    // A key presses too, without any finger.
    if (event.detail === 0 || before === null || meaning(event.target) === before.meant) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener("pointerdown", down, { capture: true, passive: true });
  window.addEventListener("pointerup", up, { capture: true, passive: true });
  window.addEventListener("pointercancel", cancel, { capture: true, passive: true });
  window.addEventListener("click", click, { capture: true });
}
