// Why a request was turned down, in the page's own words where it has some.

import { Refused } from "./api.ts";
import { telling } from "./app.ts";
import { sayCode } from "./words/say.ts";

export function whyNot(error: unknown): string {
  const { say } = telling.peek();
  if (!(error instanceof Refused)) return String(error);
  const { error: code, message } = error.refusal;
  const known = sayCode(say, "refused_", code);
  return known === code ? message || code : known;
}
