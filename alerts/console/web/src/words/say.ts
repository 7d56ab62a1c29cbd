// The page's words in a language.

import { fill, type Language } from "../format.ts";
import { en, type Key, type Words } from "./en.ts";
import { zh } from "./zh.ts";

export type { Key } from "./en.ts";
export type Say = (key: Key, values?: Readonly<Record<string, string | number>>) => string;

const WORDS: Record<Language, Words> = { en, zh };

export function sayIn(language: Language): Say {
  const words = WORDS[language];
  return (key, values = {}) => fill(words[key], values);
}

/** A text whose key is made at run time, such as a code of the server; a code that is not known stands for itself. */
export function sayCode(say: Say, prefix: string, code: string): string {
  const key = `${prefix}${code}`;
  return key in en ? say(key as Key) : code;
}
