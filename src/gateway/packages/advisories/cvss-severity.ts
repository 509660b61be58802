// How severe a vector of CVSS says that something is, by the scale of its authors (CVSS v3.1 §5, v4.0 §6).

import cvss from 'ae-cvss-calculator';
import type { Severity } from '../../../understand/packages/advisory.ts';

/** Vectors that exist are shorter. */
const vectorLengthMax = 512;

/** The library writes what it cannot read to the terminal as it is: what has other signs never gets there. */
const vectorForm = /^[A-Za-z0-9.]+:[A-Za-z0-9.]+(?:\/[A-Za-z]+:[A-Za-z]+)*$/;

/** Each of them once (CVSS v4.0 §7); of one that is missing the library assumes that it does no harm. */
const baseMetricsOf4 = ['AV', 'AC', 'AT', 'PR', 'UI', 'VC', 'VI', 'VA', 'SC', 'SI', 'SA'] as const;

/** Undefined: it is no vector that says all of its base metrics. */
export function cvssSeverity(vector: string): Severity | undefined {
  const score = baseScore(vector);
  if (score === undefined) return undefined;
  if (score < 4) return 'low';
  if (score < 7) return 'moderate';
  return score < 9 ? 'high' : 'critical';
}

function baseScore(vector: string): number | undefined {
  if (vector.length > vectorLengthMax || !vectorForm.test(vector) || !isWhole(vector)) return undefined;
  // The library types what it gives as anything.
  const read = cvss.fromVector(vector) as unknown;
  const scores = isVector(read) ? read.calculateScores() : undefined;
  if (typeof scores !== 'object' || scores === null) return undefined;
  const { baseMetricsOnly, base }: { baseMetricsOnly?: unknown; base?: unknown } = scores;
  // Of 4.0 `base` may have been lowered by how often it is used at present.
  const score = baseMetricsOnly ?? base;
  return typeof score === 'number' && Number.isFinite(score) ? score : undefined;
}

function isWhole(vector: string): boolean {
  const names = vector.split('/').map((one) => one.split(':', 1)[0] ?? '');
  // The library guesses the version of a vector that says none.
  if (!vector.startsWith('CVSS:4') && !names.includes('AT') && !names.includes('VC')) return true;
  return baseMetricsOf4.every((metric) => names.filter((name) => name === metric).length === 1);
}

function isVector(value: unknown): value is { calculateScores(): unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'calculateScores' in value &&
    typeof value.calculateScores === 'function'
  );
}
