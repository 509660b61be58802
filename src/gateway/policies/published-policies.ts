// The policies that operators published in the store, as this gateway has taken them: it looks for others, and holds what it can read.

import { setImmediate } from 'node:timers/promises';
import {
  BoundPolicies,
  ceilingName,
  mainName,
  type NamedPolicy,
  type UnreadPolicy,
} from '../../policy/bound-policies.ts';
import { checkCeiling } from '../../policy/check-ceiling.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { Policy } from '../../policy/decision.ts';
import type { PolicyProblem } from '../../policy/problem.ts';
import { formatProblem } from '../../policy/problem.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { PolicyOutcome, PolicyStore, PolicyText, PolicyVersion } from '../../store/policy-store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { loadPolicy, type PolicyLoadingOptions } from './policy-loading.ts';
import { versionOf, versionOfAll } from './policy-version.ts';

/** A published policy holds within 2 s; one look is one indexed query. */
const publishedLookIntervalMs = 500;
/** One that could not be read for a passing reason is read again after so long. */
const retryMs = 30_000;

export interface PublishedPoliciesOptions {
  readonly store: PolicyStore;
  readonly names: Omit<PolicyLoadingOptions, 'discover'>;
  /** Undefined: nobody is told what became of a version, for it is only looked at. */
  readonly gatewayId: string | undefined;
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
  /** It is in force from now on, or withdrawn, and with it `policy` decides. */
  readonly onTaken: (taken: PolicyVersion, policy: Policy) => void;
  readonly onRefused: (version: PolicyVersion, problems: readonly PolicyProblem[]) => void;
}

/** A published version that this gateway cannot take. */
export interface RefusedPolicy {
  readonly version: PolicyVersion;
  readonly problems: readonly PolicyProblem[];
  readonly sinceMs: number;
}

/** What this gateway holds of one policy. */
export interface HeldPolicy {
  readonly version: PolicyVersion;
  /** Undefined: it is withdrawn. */
  readonly policy: CompiledPolicy | undefined;
  readonly files: readonly PolicyText[];
}

interface Refusal extends RefusedPolicy {
  readonly againMs: number | undefined;
}

/** Looks until it is closed. */
export class PublishedPolicies implements AsyncDisposable {
  readonly #options: PublishedPoliciesOptions;
  readonly #listeners = new Set<(policy: Policy) => void>();
  readonly #held = new Map<string, HeldPolicy>();
  readonly #refused = new Map<string, Refusal>();
  readonly #repeated: RepeatedLook;
  #current: Policy = nothingPublished();
  #sinceMs: number;

  private constructor(options: PublishedPoliciesOptions) {
    this.#options = options;
    this.#sinceMs = options.clock();
    const { onFault } = options;
    this.#repeated = new RepeatedLook({
      look: (signal) => this.#look(signal),
      intervalMs: publishedLookIntervalMs,
      onFault,
    });
  }

  /** What is published now is taken before it resolves. Throws ProxyError `store_unavailable`. */
  static async open(options: PublishedPoliciesOptions): Promise<PublishedPolicies> {
    const published = new PublishedPolicies(options);
    await published.#look(new AbortController().signal);
    published.#repeated.start();
    return published;
  }

  /** Ask again for each decision: it changes. */
  get current(): Policy {
    return this.#current;
  }

  /** Since when what is in force is in force. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  get held(): readonly HeldPolicy[] {
    return [...this.#held.values()];
  }

  get refused(): readonly RefusedPolicy[] {
    return [...this.#refused.values()];
  }

  /** Those of which nothing is held, or not for all whom they are for now; they are denied everything. */
  get unread(): readonly UnreadPolicy[] {
    return this.refused.flatMap(({ version: { policy, binding, damaged } }) => {
      const held = this.#held.get(policy);
      // Whom a damaged one is for is not known: those of the one before keep that.
      const isSameBinding =
        damaged === 'binding' || JSON.stringify(held?.version.binding) === JSON.stringify(binding);
      const isHeld = held?.policy !== undefined && isSameBinding;
      return isHeld ? [] : [{ name: policy, binding }];
    });
  }

  onChange(listener: (policy: Policy) => void): void {
    this.#listeners.add(listener);
  }

  /** Looks now, and reads again what was refused for a passing reason. */
  async look(): Promise<void> {
    for (const [name, refusal] of this.#refused)
      if (refusal.againMs !== undefined) this.#refused.set(name, { ...refusal, againMs: 0 });
    await this.#repeated.now();
  }

  /** Without waiting for the interval. */
  lookSoon(): void {
    this.#repeated.soon();
  }

  /** Looks soon. Whether each version that was published before this call is in force here, or known to be refused. */
  taken(): Promise<boolean> {
    return this.#repeated.taken();
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return this.#repeated.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      await this.#follow(signal);
    } finally {
      // Also where the store failed in between: what is refused is not read again.
      this.#followRefusals();
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const published = await this.#options.store.published();
    for (const version of published) {
      if (!this.#isNews(version)) continue;
      this.#noteWayBack(version);
      const taken = await this.#take(version, signal);
      if (signal.aborted) return;
      if (taken !== undefined) this.#replace(taken);
    }
    const known = new Set(published.map(({ policy }) => policy));
    for (const policy of this.#refused.keys()) if (!known.has(policy)) this.#refused.delete(policy);
    for (const { version } of this.held) {
      if (known.has(version.policy)) continue;
      this.#noteWayBack({ ...version, number: 0 });
      this.#held.delete(version.policy);
      this.#replace({ ...version, isWithdrawn: true });
    }
  }

  /** A standby that had not got all took over, or a copy was put back: what is published is followed, and said. */
  #noteWayBack({ policy, number }: PolicyVersion): void {
    const held = this.#held.get(policy)?.version.number ?? 0;
    if (number >= held) return;
    this.#options.onFault(
      new ProxyError(
        'store_unavailable',
        `the store went back from version ${held} of the policy ${policy} to ${number}; publish again what it lost`,
      ),
    );
  }

  #isNews(version: PolicyVersion): boolean {
    const { policy } = version;
    const held = this.#held.get(policy)?.version;
    if (held !== undefined && isSame(held, version)) {
      this.#refused.delete(policy);
      return false;
    }
    const refusal = this.#refused.get(policy);
    if (refusal === undefined || !isSame(refusal.version, version)) return true;
    return refusal.againMs !== undefined && this.#options.clock() >= refusal.againMs;
  }

  /** The version, or at the start an earlier one. What was taken. */
  async #take(version: PolicyVersion, signal: AbortSignal): Promise<PolicyVersion | undefined> {
    if (await this.#takeOne(version, signal)) return version;
    if (signal.aborted || this.#held.has(version.policy)) return undefined;
    // Others of the same store hold the one before: whoever starts later must not deny what they allow.
    const { policy, number } = version;
    const refusal = this.#refused.get(policy);
    const isCeiling = policy === ceilingName;
    // An older ceiling may bound less, and the new one was not at fault.
    if (isCeiling && refusal?.againMs !== undefined) return undefined;
    const earlier = await this.#options.store.history({
      policy,
      before: number,
      limit: defaultLimits.policyTriedAtStartMax,
    });
    for (const one of earlier) {
      const result = await this.#read(one, signal);
      if ('problems' in result) {
        if (!isCeiling || result.isPassing !== true || refusal === undefined) continue;
        this.#refused.set(policy, { ...refusal, againMs: this.#options.clock() + retryMs });
        return undefined;
      }
      this.#held.set(policy, { ...result, version: one });
      return one;
    }
    return undefined;
  }

  async #takeOne(version: PolicyVersion, signal: AbortSignal): Promise<boolean> {
    const { policy } = version;
    const result = await this.#read(version, signal);
    if (signal.aborted) return false;
    const atMs = this.#options.clock();
    if (!('problems' in result)) {
      this.#held.set(policy, { ...result, version });
      this.#refused.delete(policy);
      await this.#note({ ...this.#outcomeOf(version, atMs), state: 'taken' });
      return true;
    }
    const { problems, isPassing = false } = result;
    const before = this.#refused.get(policy);
    const isAgain = before !== undefined && isSame(before.version, version);
    const sinceMs = before?.sinceMs ?? atMs;
    this.#refused.set(policy, {
      version,
      problems,
      sinceMs,
      againMs: isPassing ? atMs + retryMs : undefined,
    });
    if (isAgain) return false;
    this.#options.onRefused(version, problems);
    const reason = problems.map(formatProblem).join('\n').slice(0, defaultLimits.policyReasonCharactersMax);
    await this.#note({ ...this.#outcomeOf(version, atMs), state: 'refused', reason });
    return false;
  }

  #outcomeOf({ policy, number }: PolicyVersion, atMs: number): Omit<PolicyOutcome, 'state' | 'gatewayId'> {
    return { policy, number, atMs };
  }

  /** For people: what is in force hangs not on it. */
  async #note(outcome: Omit<PolicyOutcome, 'gatewayId'>): Promise<void> {
    const { store, onFault, gatewayId } = this.#options;
    if (gatewayId === undefined) return;
    const { policyOutcomesMax: outcomesMax } = defaultLimits;
    await store.note({ ...outcome, gatewayId }, { outcomesMax }).catch(onFault);
  }

  async #read(
    version: PolicyVersion,
    signal: AbortSignal,
  ): Promise<
    | Omit<HeldPolicy, 'version'>
    | { readonly problems: readonly PolicyProblem[]; readonly isPassing?: boolean }
  > {
    const { policy: name, isWithdrawn, damaged } = version;
    const place = publishedPlace(version);
    const refused = (message: string): { readonly problems: readonly PolicyProblem[] } => ({
      problems: [{ file: place, line: 1, column: 1, message, severity: 'error' }],
    });
    if (damaged !== undefined)
      return refused(`the store has something else in its column ${damaged}; publish it again`);
    if (isWithdrawn) return { policy: undefined, files: [] };
    const files = await this.#options.store.files(version.hash);
    if (files === undefined) return refused('its files are not in the store; publish it again');
    const sources = files.map((file) => ({ file: `${place}/${file.name}`, text: file.text }));
    const result = await loadPolicy(sources, this.#options.names, signal);
    // A turn for everybody else between two policies.
    await setImmediate();
    if ('problems' in result) return result;
    // What the audit says was published is what is in force.
    if (result.policy.version !== version.version)
      return refused(
        `its files are version ${result.policy.version}, not ${version.version}; publish it again`,
      );
    const problems = name === ceilingName ? checkCeiling(result.policy) : [];
    return problems.length > 0 ? { problems } : { policy: result.policy, files };
  }

  #replace(taken: PolicyVersion): void {
    this.#current = policyOf(this.held, this.unread);
    this.#sinceMs = this.#options.clock();
    this.#options.onTaken(taken, this.#current);
    for (const listener of this.#listeners) listener(this.#current);
  }

  /** What could not be read denies from now on whom it is for, or no more. */
  #followRefusals(): void {
    const policy = policyOf(this.held, this.unread);
    if (policy.version === this.#current.version) return;
    this.#current = policy;
    this.#sinceMs = this.#options.clock();
    for (const listener of this.#listeners) listener(policy);
  }
}

/** `main@3`: how a version is named in places and commands. */
export function publishedPlace({ policy, number }: Pick<PolicyVersion, 'policy' | 'number'>): string {
  return `${policy}@${number}`;
}

function isSame(one: PolicyVersion, other: PolicyVersion): boolean {
  return one.number === other.number && one.hash === other.hash && one.publishedMs === other.publishedMs;
}

/** One alone is that policy; several are asked as their bindings say. */
function policyOf(held: readonly HeldPolicy[], unread: readonly UnreadPolicy[]): Policy {
  const policies = held.flatMap(({ version, policy }): NamedPolicy[] =>
    policy === undefined ? [] : [{ name: version.policy, binding: version.binding, policy }],
  );
  const [first] = policies;
  if (unread.length === 0) {
    if (first === undefined) return nothingPublished();
    if (policies.length === 1 && first.name === mainName) return first.policy;
  }
  return new BoundPolicies(versionOfAll(policies, unread), policies, unread);
}

/** Everything is denied. */
function nothingPublished(): CompiledPolicy {
  return new CompiledPolicy({ version: versionOf([]), rules: [], files: [] });
}
