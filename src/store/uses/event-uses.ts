// What the events of a batch add to the counts of use: of each rule and grant, of each credential, and of all together, by the hour.

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
export const useFields: ReadonlySet<string> = new Set([
  'rule',
  'policyName',
  'observed',
  'injected',
  'failedCredential',
  'count',
  'status',
  'errorCode',
  'traceId',
]);

/** As an event is stored; what this version does not know of is not counted. */
interface Counted {
  readonly verdict: string;
  readonly kind: string;
  readonly timeMs: number;
}
type Outcome = keyof UseCounts;
type MutableHour = { -readonly [Name in keyof HourOfUse]: HourOfUse[Name] };
type MutableSum = { -readonly [Name in keyof SumOfUse]: SumOfUse[Name] };

/** Takes each event once, and nothing of what is later than now. */
export class UseTally {
  readonly #hours = new Map<string, MutableHour>();
  readonly #sums = new Map<string, MutableSum>();
  readonly #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** `fields` are its members of `useFields`. */
  add({ verdict, kind, timeMs }: Counted, fields: Readonly<Record<string, unknown>>): void {
    const outcome = outcomes.get(verdict);
    if (outcome === undefined || (kind !== 'exchange' && kind !== 'stream')) return;
    const { rule, observed, injected, failedCredential, status, errorCode } = fields;
    const policy = textOr(fields['policyName'], '');
    const of = { ms: Math.min(timeMs, this.#nowMs), weight: weightOf(fields['count']) };
    const why = { code: textOr(errorCode, verdict), trace: textOr(fields['traceId'], '') };
    this.#count({ kind: 'all', policy: '', name: '' }, outcome, of);
    if (isText(rule)) this.#count({ kind: 'rule', policy, name: rule }, outcome, of, why);
    if (isText(observed)) this.#count({ kind: 'observed', policy, name: observed }, outcome, of);
    for (const name of new Set(Array.isArray(injected) ? injected.filter(isText) : [])) {
      const use = { kind: 'credential', policy: '', name } as const;
      // What else went wrong says nothing of the credential.
      if (status === 401 && outcome === 'allowed')
        this.#count(use, 'failed', of, { ...why, code: 'status_401' });
      else this.#count(use, outcome, of);
    }
    if (isText(failedCredential))
      this.#count({ kind: 'credential', policy: '', name: failedCredential }, 'failed', of, why);
  }

  get hours(): readonly HourOfUse[] {
    return [...this.#hours.values()];
  }

  get sums(): readonly SumOfUse[] {
    return [...this.#sums.values()];
  }

  #count(
    use: UseName,
    outcome: Outcome,
    { ms, weight }: { readonly ms: number; readonly weight: number },
    why?: Omit<UseFailure, 'ms'>,
  ): void {
    const hour = Math.floor(ms / hourMs);
    const key = `${use.kind}\n${use.policy}\n${use.name}`;
    let counts = this.#hours.get(`${hour}\n${key}`);
    if (counts === undefined) {
      counts = { ...use, hour, allowed: 0, denied: 0, failed: 0 };
      this.#hours.set(`${hour}\n${key}`, counts);
    }
    counts[outcome] += weight;
    let sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, (sum = { ...use, uses: 0, lastMs: ms }));
    sum.uses += weight;
    sum.lastMs = Math.max(sum.lastMs, ms);
    if (outcome === 'failed' && why !== undefined && ms >= (sum.failure?.ms ?? ms))
      sum.failure = { ms, ...why };
  }
}

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
