// What the events of a batch add to the counts of use: of each rule and grant, of each credential, and of all together, by the hour.

import { FieldNames } from './json-fields.ts';

export const hourMs = 3_600_000;
const nameCharactersMax = 1000;

/**
 * `rule`: what decided, a grant is `access-grant:ID`. `observed`: what would have denied. `credential`: what was put on a request, or could
 * not be had for one. `all`: everything, under an empty name.
 */
export const useKinds = ['rule', 'observed', 'credential', 'all'] as const;
export type UseKind = (typeof useKinds)[number];

export interface UseName {
  readonly kind: UseKind;
  /** The published policy that a rule is of; empty where it is of none. */
  readonly policy: string;
  readonly name: string;
}

export interface UseCounts {
  readonly allowed: number;
  readonly denied: number;
  /** Allowed, and not done. */
  readonly failed: number;
}

export interface HourOfUse extends UseName, UseCounts {
  /** Since the epoch. */
  readonly hour: number;
}

export interface UseFailure {
  readonly ms: number;
  /** A code of errors.md; `status_401` where the origin did not accept the credential. */
  readonly code: string;
  readonly trace: string;
}

export interface SumOfUse extends UseName {
  readonly uses: number;
  readonly lastMs: number;
  readonly failure?: UseFailure;
}

/** Members of an event that say what it used. */
const useFieldNames = [
  'rule',
  'policyName',
  'observed',
  'injected',
  'failedCredential',
  'count',
  'status',
  'errorCode',
  'traceId',
] as const;
type UseField = (typeof useFieldNames)[number];
export const useFields = new FieldNames(useFieldNames);

/** What JSON says, unless the gateway said it itself. */
type UseFields = { readonly [Name in UseField]?: unknown };

/** As an event is stored; what this version does not know of is not counted. */
interface Counted {
  readonly verdict: string;
  readonly kind: string;
  readonly timeMs: number;
}
type Outcome = keyof UseCounts;
type Counts = { -readonly [Name in keyof HourOfUse]: HourOfUse[Name] } & {
  lastMs: number;
  failure: UseFailure | undefined;
};
type MutableSum = { -readonly [Name in keyof SumOfUse]: SumOfUse[Name] };

/** Takes each event once, and nothing of what is later than now. */
export class UseTally {
  readonly #counted = new Map<string, Counts>();
  readonly #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** `fields` are its members of `useFields`. */
  add({ verdict, kind, timeMs }: Counted, fields: UseFields): void {
    const outcome = outcomes.get(verdict);
    if (outcome === undefined || (kind !== 'exchange' && kind !== 'stream')) return;
    const { rule, observed, injected, failedCredential, status, errorCode } = fields;
    const policy = textOr(fields.policyName, '');
    const ms = Math.min(timeMs, this.#nowMs);
    const code = textOr(errorCode, verdict);
    const failure =
      outcome === 'failed' || status === 401 ? { ms, code, trace: textOr(fields.traceId, '') } : undefined;
    const one = { ms, hour: Math.floor(ms / hourMs), weight: weightOf(fields.count), failure };
    const silent = failure === undefined ? one : { ...one, failure: undefined };
    this.#count('all', nameless, outcome, silent);
    if (isText(rule)) this.#count('rule', { policy, name: rule }, outcome, one);
    if (isText(observed)) this.#count('observed', { policy, name: observed }, outcome, silent);
    if (Array.isArray(injected)) this.#credentials(injected, outcome, { status, one, silent });
    if (isText(failedCredential))
      this.#count('credential', { policy: '', name: failedCredential }, 'failed', {
        ...one,
        failure: failure ?? { ms, code, trace: textOr(fields.traceId, '') },
      });
  }

  /** What else went wrong says nothing of the credential. */
  #credentials(
    names: readonly unknown[],
    outcome: Outcome,
    { status, one, silent }: { readonly status: unknown; readonly one: OneUse; readonly silent: OneUse },
  ): void {
    const isRefused = status === 401 && outcome === 'allowed' && one.failure !== undefined;
    const refused = isRefused ? { ...one, failure: { ...one.failure, code: 'status_401' } } : undefined;
    for (const name of names.length > 1 ? new Set(names) : names) {
      if (!isText(name)) continue;
      if (refused === undefined) this.#count('credential', { policy: '', name }, outcome, silent);
      else this.#count('credential', { policy: '', name }, 'failed', refused);
    }
  }

  get hours(): readonly HourOfUse[] {
    return [...this.#counted.values()].map(({ hour, kind, policy, name, allowed, denied, failed }) => ({
      hour,
      kind,
      policy,
      name,
      allowed,
      denied,
      failed,
    }));
  }

  get sums(): readonly SumOfUse[] {
    const sums = new Map<string, MutableSum>();
    for (const { kind, policy, name, lastMs, failure, ...counts } of this.#counted.values()) {
      const key = `${kind}\n${policy}\n${name}`;
      const sum = sums.get(key) ?? { kind, policy, name, uses: 0, lastMs };
      sums.set(key, sum);
      sum.uses += counts.allowed + counts.denied + counts.failed;
      sum.lastMs = Math.max(sum.lastMs, lastMs);
      if (failure !== undefined && failure.ms >= (sum.failure?.ms ?? failure.ms)) sum.failure = failure;
    }
    return [...sums.values()];
  }

  #count(
    kind: UseKind,
    { policy, name }: Omit<UseName, 'kind'>,
    outcome: Outcome,
    { ms, hour, weight, failure }: OneUse,
  ): void {
    const key = `${hour}${kind}\n${policy}\n${name}`;
    let counts = this.#counted.get(key);
    if (counts === undefined) {
      counts = { kind, policy, name, hour, allowed: 0, denied: 0, failed: 0, lastMs: ms, failure: undefined };
      this.#counted.set(key, counts);
    }
    counts[outcome] += weight;
    if (ms > counts.lastMs) counts.lastMs = ms;
    if (outcome === 'failed' && failure !== undefined && ms >= (counts.failure?.ms ?? ms))
      counts.failure = failure;
  }
}

interface OneUse {
  readonly ms: number;
  readonly hour: number;
  readonly weight: number;
  /** Why, of one that failed by what is counted. */
  readonly failure: UseFailure | undefined;
}

const nameless = { policy: '', name: '' } as const;
const outcomes: ReadonlyMap<string, Outcome> = new Map([
  ['allow', 'allowed'],
  ['deny', 'denied'],
  ['error', 'failed'],
  // Nobody knows how it ended.
  ['unknown', 'failed'],
]);

function weightOf(count: unknown): number {
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 1;
}

/** Names are of a policy or a configuration: what else stands there could be two in one engine, and one in another. */
function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= nameCharactersMax &&
    value.isWellFormed() &&
    !value.includes('\0')
  );
}

function textOr(value: unknown, other: string): string {
  return isText(value) ? value : other;
}
