// The keys of the filter, and what each of them takes.

export const filterKeys = [
  'verdict',
  'kind',
  'action',
  'host',
  'path',
  'method',
  'status',
  'rule',
  'credential',
  'session',
  'principal',
  'error',
  'limit',
  'policy',
  'observed',
  'git.repository',
  'git.ref',
  'sent',
  'received',
  'took',
  'trace',
  'address',
  'since',
  'until',
] as const;

export type FilterKey = (typeof filterKeys)[number];

/** A number with its comparison. */
export interface Comparison {
  readonly operator: '>' | '>=' | '<' | '<=' | '=';
  readonly amount: number;
}

/** What a value says: text with `*`, a number to compare with, or a time. */
export type Reading =
  | { readonly form: 'text'; readonly pattern: string }
  | { readonly form: 'number'; readonly comparison: Comparison }
  | { readonly form: 'ago'; readonly ms: number }
  | { readonly form: 'time'; readonly ms: number }
  | { readonly form: 'clock'; readonly minutes: number };

const sizeUnits: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9 };
const durationUnits: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const verdictWords: Readonly<Record<string, string>> = {
  allowed: 'allow',
  denied: 'deny',
  failed: 'error',
  information: 'info',
};

/** Undefined for a value that the key does not take. */
export function readingOf(key: FilterKey, value: string): Reading | undefined {
  switch (key) {
    case 'sent':
    case 'received':
      return comparisonOf(value, sizeUnits);
    case 'took':
      return comparisonOf(value, durationUnits);
    case 'status':
      return /^[<>=]/.test(value) ? comparisonOf(value, { '': 1 }) : { form: 'text', pattern: value };
    case 'since':
    case 'until':
      return timeOf(value);
    case 'verdict':
      return { form: 'text', pattern: verdictWords[value.toLowerCase()] ?? value };
    default:
      return { form: 'text', pattern: value };
  }
}

function comparisonOf(value: string, units: Readonly<Record<string, number>>): Reading | undefined {
  const found = /^(>=|<=|>|<|=)?(\d{1,15}(?:\.\d{1,9})?)([a-z]*)$/i.exec(value);
  const unit = units[(found?.[3] ?? '').toLowerCase()];
  if (found === null || unit === undefined) return undefined;
  // The pattern names every operator.
  const operator = (found[1] ?? '=') as Comparison['operator'];
  return { form: 'number', comparison: { operator, amount: Number(found[2]) * unit } };
}

function timeOf(value: string): Reading | undefined {
  const ago = /^(\d{1,6})(s|m|min|h|d)$/.exec(value);
  if (ago !== null) return { form: 'ago', ms: Number(ago[1]) * (durationUnits[ago[2] ?? ''] ?? 0) };
  const clock = /^(\d{1,2}):(\d{2})$/.exec(value);
  if (clock !== null) {
    const minutes = Number(clock[1]) * 60 + Number(clock[2]);
    return minutes < 1440 ? { form: 'clock', minutes } : undefined;
  }
  const ms = /^\d{4}-\d{2}-\d{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : { form: 'time', ms };
}
