// The last hour of a rule: what was measured, and the limit as a line.

import type { JSX } from "preact";
import { now, telling, zone } from "../app.ts";
import type { Kind, Point } from "../api.ts";
import { quantity } from "../facts.ts";
import { clock } from "../format.ts";

const HOUR_MS = 3_600_000;

interface Frame {
  readonly x: (at: number) => number;
  readonly y: (value: number) => number;
}

function frame(points: readonly Point[], end: number, width: number, height: number, top: number): Frame {
  const begin = end - HOUR_MS;
  const values = points.flatMap(({ measured, limit }) => [measured, limit]);
  const low = Math.min(0, ...values);
  const high = Math.max(...values);
  const range = high - low || 1;
  return {
    x: (at) => (Math.min(1, Math.max(0, (at - begin) / HOUR_MS)) * width),
    y: (value) => top + (1 - (value - low) / range) * (height - top - 2),
  };
}

function steps(points: readonly Point[], value: (point: Point) => number, { x, y }: Frame, end: number): string {
  let path = "";
  let height = 0;
  for (const point of points) {
    const [left, level] = [x(Date.parse(point.at)), y(value(point))];
    // A value holds until the next one is measured.
    path += path ? `H${left.toFixed(1)}V${level.toFixed(1)}` : `M${left.toFixed(1)} ${level.toFixed(1)}`;
    height = level;
  }
  return `${path}H${x(end).toFixed(1)}V${height.toFixed(1)}`;
}

interface Props {
  readonly rule: string;
  readonly kind: Kind | null;
  readonly points: readonly Point[];
  readonly width?: number;
  readonly height?: number;
  readonly axis?: boolean;
}

export function Chart({ rule, kind, points, width = 220, height = 64, axis = false }: Props): JSX.Element | null {
  const { say, language } = telling.value;
  const [first] = points;
  const last = points[points.length - 1];
  if (!first || !last) return null;
  const end = Math.max(now.peek(), Date.parse(last.at));
  const box = frame(points, end, width, height, 6);
  const measured = quantity(last.measured, kind, language);
  const limit = quantity(last.limit, kind, language);
  const line = steps(points, (point) => point.measured, box, end);
  const floor = box.y(0).toFixed(1);
  return (
    <figure class="chart" data-testid="chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={say("chart_label", { rule, measured, limit, n: points.length })}
      >
        <path class="area" d={`${line}V${floor}H${box.x(Date.parse(first.at)).toFixed(1)}Z`} />
        <path class="limit" d={`M0 ${box.y(first.limit).toFixed(1)}H${box.x(Date.parse(first.at)).toFixed(1)}`} />
        <path class="limit" d={steps(points, (point) => point.limit, box, end)} />
        <path class="line" d={line} />
        <path class="dot" d={`M${box.x(Date.parse(last.at)).toFixed(1)} ${box.y(last.measured).toFixed(1)}h0`} />
      </svg>
      <figcaption aria-hidden="true">
        {axis ? (
          <>
            <span class="num">{clock(end - HOUR_MS, zone)}</span>
            <span class="num">{clock(end - HOUR_MS / 2, zone)}</span>
          </>
        ) : (
          <span>−60 min</span>
        )}
        <span class="limit-key">
          {say("limit")} <span class="num">{limit}</span>
        </span>
        <span class="num">{axis ? clock(end, zone) : ""}</span>
      </figcaption>
    </figure>
  );
}
