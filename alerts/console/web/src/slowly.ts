// A value that is drawn at most every so often: nobody reads ten new lines a second, and drawing them costs.

import { useEffect, useRef, useState } from "preact/hooks";

/** The value as it was at most `ms` ago; a change after some quiet is shown at once. `key`: another one is never late. */
export function useSlowly<T>(value: T, ms: number, key: unknown = null): T {
  const shown = useRef({ value, key, at: -ms });
  const [, redraw] = useState(0);
  const time = performance.now();
  const { current } = shown;
  const waits = current.value !== value && current.key === key && time - current.at < ms;
  if (!waits && (current.value !== value || current.key !== key)) shown.current = { value, key, at: time };
  useEffect(() => {
    if (!waits) return;
    const timer = setTimeout(() => redraw((count) => count + 1), ms - (time - current.at) + 1);
    return () => clearTimeout(timer);
  }, [waits]);
  return shown.current.value;
}
