// How long requests stayed here before they went on: half, 95 and 99 of a hundred, minute by minute. Time outside is not counted.

import type { AuditEvent } from '../../api/audit-event.ts';

export const minuteMs = 60_000;
/** Each step of the scale is a fifth more than the one before: as exact as a line of 60 points is drawn. */
const stepFactor = 1.2;
const leastMs = 0.01;
const stepsMax = 120;

/** How many fell into each step of the scale. */
type Steps = Uint32Array;

export interface AddedPoint {
  readonly startMs: number;
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export class TimeAdded {
  readonly #minutes = new Map<number, Steps>();

  /** An exchange that was decided; of others nothing is known. */
  take({ kind, time, times }: AuditEvent): void {
    const here = times?.decidedMs;
    if (kind !== 'exchange' || here === undefined) return;
    const minute = Math.floor(Date.parse(time) / minuteMs);
    let steps = this.#minutes.get(minute);
    if (steps === undefined) this.#minutes.set(minute, (steps = new Uint32Array(stepsMax)));
    const step = stepOf(here);
    steps[step] = (steps[step] ?? 0) + 1;
  }

  /** So many points up to that time; one in which there was nothing is left out. */
  points(endMs: number, points: number, minutesEach: number): readonly AddedPoint[] {
    const last = Math.floor(endMs / (minutesEach * minuteMs));
    return Array.from({ length: points }, (_, at) => last - points + 1 + at).flatMap((point) => {
      const found = this.#between(point * minutesEach, (point + 1) * minutesEach);
      return found === undefined ? [] : [{ startMs: point * minutesEach * minuteMs, ...found }];
    });
  }

  /** Of all of that time; undefined where there was nothing. */
  whole(fromMs: number, endMs: number): Omit<AddedPoint, 'startMs'> | undefined {
    return this.#between(Math.floor(fromMs / minuteMs), Math.floor(endMs / minuteMs) + 1);
  }

  #between(from: number, below: number): Omit<AddedPoint, 'startMs'> | undefined {
    const sum = new Uint32Array(stepsMax);
    let count = 0;
    for (const [minute, steps] of this.#minutes) {
      if (minute < from || minute >= below) continue;
      for (const [step, value] of steps.entries()) {
        sum[step] = (sum[step] ?? 0) + value;
        count += value;
      }
    }
    if (count === 0) return undefined;
    return {
      count,
      p50: quantile(sum, count, 0.5),
      p95: quantile(sum, count, 0.95),
      p99: quantile(sum, count, 0.99),
    };
  }
}

function stepOf(ms: number): number {
  if (!(ms > leastMs)) return 0;
  return Math.min(stepsMax - 1, Math.ceil(Math.log(ms / leastMs) / Math.log(stepFactor)));
}

/** Not more than a fifth above what it was. */
function quantile(steps: Steps, count: number, part: number): number {
  let left = Math.ceil(count * part);
  for (const [step, value] of steps.entries()) {
    left -= value;
    if (left <= 0) return leastMs * stepFactor ** step;
  }
  return leastMs * stepFactor ** (stepsMax - 1);
}
