// How long requests stay here before they go on. What the origin and the way take is not counted.

import type { ReactElement } from 'react';
import { durationText, momentText, unknownMark } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { type AddedPoint, minuteMs } from '../../model/time-added.ts';
import { useFeed, useNow } from '../../parts/operator.ts';

const pointsMost = 60;
const [width, height] = [372, 72];
const lines = [
  { key: 'p99', stroke: 'var(--ink3)' },
  { key: 'p95', stroke: 'var(--accent)' },
  { key: 'p50', stroke: 'var(--pass)' },
] as const;

interface AddedTimeProps {
  readonly totals: EventTotals;
  readonly hours: number;
}

export function AddedTime({ totals, hours }: AddedTimeProps): ReactElement {
  const { held } = useFeed();
  const now = useNow(5000);
  const minutesEach = Math.max(1, Math.round((hours * 60) / pointsMost));
  const points = totals.added.points(now, pointsMost, minutesEach);
  const whole = totals.added.whole(now - hours * 60 * minuteMs, now);
  const firstMs = now - hours * 60 * minuteMs;
  const since = held.sinceMs !== undefined && held.sinceMs > firstMs ? held.sinceMs : undefined;
  return (
    <section>
      <div className="sech">
        <h2>Time added here</h2>
        <span className="sub">
          until the decision; origin and network are not counted
          {since === undefined ? '' : `; since ${momentText(since, now)}, as far as events are held`}
        </span>
      </div>
      {whole === undefined ? (
        <p className="m2">No request with its times is held.</p>
      ) : (
        <Lines points={points} startMs={now - pointsMost * minutesEach * minuteMs} endMs={now} />
      )}
      <div className="legend">
        {lines.toReversed().map(({ key, stroke }) => (
          <span key={key}>
            <svg width="14" height="8" aria-hidden="true">
              <path d="M0 4H14" stroke={stroke} strokeWidth="2" />
            </svg>
            {key} <b>{whole === undefined ? unknownMark : durationText(whole[key])}</b>
          </span>
        ))}
      </div>
    </section>
  );
}

function Lines({
  points,
  startMs,
  endMs,
}: {
  readonly points: readonly AddedPoint[];
  readonly startMs: number;
  readonly endMs: number;
}): ReactElement {
  const most = Math.max(0.01, ...points.map(({ p99 }) => p99));
  const last = points.at(-1);
  const label =
    last === undefined
      ? 'Nothing lately'
      : `Lately half within ${durationText(last.p50)}, 99 of a hundred within ${durationText(last.p99)}`;
  return (
    <div className="added">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {lines.map(({ key, stroke }) => (
          <path
            key={key}
            d={pathOf(points, (point) => point[key] / most, { startMs, endMs })}
            fill="none"
            stroke={stroke}
            strokeWidth="1.4"
            vectorEffect="non-scaling-stroke"
          />
        ))}
      </svg>
      <span className="axis up">{durationText(most)} at most</span>
    </div>
  );
}

/** One point alone is a short line. */
function pathOf(
  points: readonly AddedPoint[],
  of: (point: AddedPoint) => number,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): string {
  const placed = points.map((point) => {
    const x = ((point.startMs - startMs) / (endMs - startMs)) * width;
    return { x: Math.max(0, x), y: height - 2 - of(point) * (height - 6) };
  });
  const [only] = placed;
  if (placed.length === 1 && only !== undefined) return `M${only.x.toFixed(1)} ${only.y.toFixed(1)}h4`;
  return placed.map(({ x, y }, at) => `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}
