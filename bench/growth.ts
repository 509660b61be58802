// How costs grow with what is there: curves, their exponents, and whether one grows faster than its work.

import { growthExponent } from './report/statistics.ts';
import type { Point } from './report/statistics.ts';
import { format, table } from './report/table.ts';

export interface Curve {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly Point[];
  /** What the cost may follow: nothing (0), or the size (1), the work of one that goes over all there is. */
  readonly work: 0 | 1;
}

export interface Series {
  readonly title: string;
  /** What the sizes count. */
  readonly sizeName: string;
  readonly curves: readonly Curve[];
  /** Lines below the table. */
  readonly notes: readonly string[];
}

/** Above its work by no more than this is noise: over two decades it is a factor of two. Over less than one it is that of one, 1.4. */
const exponentTolerance = 0.15;

export function growsFasterThanWork({ points, work }: Curve): boolean {
  const sizes = points.map(({ size }) => size);
  const decades = Math.log10(Math.max(...sizes) / Math.min(...sizes));
  return (growthExponent(points) - work) * decades > exponentTolerance * Math.max(decades, 1);
}

/** One row a curve: its costs by size, the exponent, and what that says. */
export function growthTable({ sizeName, curves }: Series): string {
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(({ size }) => size)))].toSorted(
    (a, b) => a - b,
  );
  const rows = curves.map((curve) => {
    const exponent = growthExponent(curve.points);
    const verdict = growsFasterThanWork(curve) ? '**faster than its work**' : 'no faster than its work';
    return [`${curve.name}, ${curve.unit}`].concat(
      sizes.map((size) => format(curve.points.find((point) => point.size === size)?.cost ?? Number.NaN)),
      [
        Number.isFinite(exponent) ? exponent.toFixed(2) : '–',
        curve.work === 0 ? '0' : '1',
        Number.isFinite(exponent) ? verdict : 'not measured',
      ],
    );
  });
  const header = [
    sizeName,
    ...sizes.map((size) => size.toLocaleString('en')),
    'exponent',
    'of its work',
    'verdict',
  ];
  return table(header, rows);
}

export function seriesText(series: Series): string {
  return [`**${series.title}**`, growthTable(series), ...series.notes].join('\n\n');
}
