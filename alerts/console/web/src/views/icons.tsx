// Signs. Each stands beside a word: none of them says something alone.

import type { JSX } from "preact";
import type { Severity } from "../api.ts";
import type { Standing } from "../standing.ts";

const PATHS = {
  pause: "M5 3h2.5v10H5zM8.5 3H11v10H8.5z",
  partly: "M5 3h2.5v10H5zM10 5.5v5M10 3v.5M10 12.5v.5",
  play: "M5 3l8 5-8 5z",
  hand: "M8 1.5l5.5 2v4c0 3.5-2.4 6-5.5 7-3.1-1-5.5-3.5-5.5-7v-4zM5.5 8l2 2 3.5-4",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6a2 2 0 100 4 2 2 0 000-4z",
  ghost: "M3 14V7.5a5 5 0 0110 0V14l-2-1.5L9.2 14 8 12.7 6.8 14 5 12.5zM6.2 7v1M9.8 7v1",
  critical: "M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2zM8 4.5v4.2M8 10.8v.7",
  warning: "M8 1.8L15 14H1zM8 6v4M8 11.6v.7",
  info: "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM8 7v4.5M8 4.4v.7",
  check: "M3 8.5l3.2 3.2L13 5",
  bell: "M8 1.8a4 4 0 00-4 4v3L2.8 11.5h10.4L12 8.8v-3a4 4 0 00-4-4zM6.5 13.5h3",
  muted: "M8 1.8a4 4 0 00-4 4v3L2.8 11.5h10.4L12 8.8v-3a4 4 0 00-4-4zM6.5 13.5h3M2 2l12 12",
  clock: "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM8 4.5V8l2.5 1.8",
  search: "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.3 10.3L14 14",
  cut: "M2 8h3M11 8h3M6.5 5.5l3 5M9.5 5.5l-3 5",
  live: "M8 6.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6zM4.3 4.3a5.2 5.2 0 000 7.4M11.7 4.3a5.2 5.2 0 010 7.4",
  theme: "M8 1.8a6.2 6.2 0 100 12.4zM8 1.8a6.2 6.2 0 010 12.4",
  key: "M2 4.5h12v7H2zM4.5 7h1M7.5 7h1M10.5 7h1M5 9.3h6",
  out: "M9.5 2.5H3v11h6.5M7 8h7M11.5 5.5L14 8l-2.5 2.5",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  undo: "M3 6.5h6.5a3.5 3.5 0 010 7H6M5.5 3.5L2.5 6.5l3 3",
  room: "M2 4h8v8H2zM10 7l4-2.2v6.4L10 9",
  down: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10",
} as const;

export type Sign = keyof typeof PATHS;
const FILLED: ReadonlySet<Sign> = new Set(["pause", "play"]);

export function Icon({ sign, size = 16 }: { sign: Sign; size?: number }): JSX.Element {
  const filled = FILLED.has(sign);
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path
        d={PATHS[sign]}
        fill={filled ? "currentColor" : "none"}
        stroke={filled ? "none" : "currentColor"}
        stroke-width="1.5"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

export const STANDING_SIGNS: Record<Standing, Sign> = {
  paused: "pause",
  partly: "partly",
  allowed: "hand",
  open: "warning",
  probation: "eye",
  shadow: "ghost",
};

export const SEVERITY_SIGNS: Record<Severity, Sign> = { critical: "critical", warning: "warning", info: "info" };
