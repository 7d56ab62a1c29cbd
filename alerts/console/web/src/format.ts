// Numbers, durations and times for people. Pure: the zone and the language are passed in.

export type Language = "zh" | "en";

const LOCALES: Record<Language, string> = { zh: "zh-CN", en: "en-GB" };

function cached<T>(make: (language: Language, zone: string) => T): (language: Language, zone: string) => T {
  const made = new Map<string, T>();
  return (language, zone) => {
    const key = `${language} ${zone}`;
    let found = made.get(key);
    if (!found) made.set(key, (found = make(language, zone)));
    return found;
  };
}

const clocks = cached(
  (_, timeZone) =>
    new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
);
const days = cached(
  (_, timeZone) => new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }),
);
const zones = cached(
  (language, timeZone) => new Intl.DateTimeFormat(LOCALES[language], { timeZone, timeZoneName: "shortOffset" }),
);
const numbers = cached((language) => new Intl.NumberFormat(LOCALES[language], { maximumFractionDigits: 2 }));

/** `14:03:22` */
export function clock(ms: number, zone: string): string {
  return clocks("en", zone).format(ms);
}

/** `2026-11-22` */
export function day(ms: number, zone: string): string {
  return days("en", zone).format(ms);
}

/** The time, with its day where that is not today. */
export function moment(ms: number, now: number, zone: string): string {
  const today = day(now, zone);
  const date = day(ms, zone);
  return date === today ? clock(ms, zone) : `${date.slice(0, 4) === today.slice(0, 4) ? date.slice(5) : date} ${clock(ms, zone)}`;
}

/** The zone as an offset: `GMT+8`. */
export function zoneName(ms: number, language: Language, zone: string): string {
  return zones(language, zone).formatToParts(ms).find((part) => part.type === "timeZoneName")?.value ?? zone;
}

export function number(value: number, language: Language): string {
  return numbers(language, "").format(value);
}

/** `12.5%`; a share of 1 is 100%. */
export function percent(value: number): string {
  const shown = value * 100;
  return `${Number(shown.toFixed(shown < 10 ? 2 : 1))}%`;
}

const UNITS: Record<Language, readonly [string, string, string, string]> = {
  en: [" d", " h", " min", " s"],
  zh: [" 天", " 小时", " 分", " 秒"],
};

/** The two largest units: `3 min 12 s`, `2 h 5 min`. Seconds. */
export function duration(seconds: number, language: Language): string {
  const whole = Math.max(0, Math.floor(seconds));
  const counts = [Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return `0${UNITS[language][3]}`;
  return counts
    .slice(first, first + 2)
    .map((count, index) => (count > 0 ? `${count}${UNITS[language][first + index]}` : ""))
    .filter(Boolean)
    .join(" ");
}

/**
 * Put values into a text. `{name}` is a value, `{name:one|many}` the words that go with it: the first for 1. In them
 * `#` is the value.
 */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one === undefined) return String(value);
    const words = value === 1 || value === "1" ? one : (many ?? "");
    return words.replace("#", String(value));
  });
}
