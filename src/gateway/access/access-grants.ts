// The grants in force, read from the store at an interval: whichever process decided, every gateway notices.

import type { AccessGrant } from '../../policy/access-grant.ts';
import type { Policy } from '../../policy/decision.ts';
import { GrantedPolicy } from '../../policy/granted-policy.ts';
import { pushedRepository, pushGrant } from '../../policy/push-grant.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { AccessRecord, AccessStore, AccessTerms } from '../../store/access-store.ts';
import { pruneBatch } from '../../store/store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

/** What lives on a grant ends within 5 s of it; one look is two indexed queries. */
export const accessLookIntervalMs = 500;

export interface AccessGrantsOptions {
  readonly store: AccessStore;
  /** The policy without grants. */
  readonly base: () => Policy;
  readonly limits: Limits;
  /** Hosts of clouds at which the gateway responds. */
  readonly emulated: ReadonlySet<string>;
  readonly clock: () => number;
  /** Told of grants and requests that this process ended because their time was over. */
  readonly onEnded: (record: AccessRecord) => Promise<void>;
  readonly onFault: (error: ProxyError) => void;
  /** Whether this process ends what is over. One of several is enough. */
  readonly isOnDuty?: () => boolean;
}

/** Looks at the store until it is closed. */
export class AccessGrants implements AsyncDisposable {
  readonly #options: AccessGrantsOptions;
  readonly #listeners = new Set<(policy: Policy) => void>();
  #grants: readonly AccessGrant[] = [];
  #policy: { readonly base: Policy; readonly granted: Policy } | undefined;
  readonly #repeated: RepeatedLook;

  private constructor(options: AccessGrantsOptions) {
    this.#options = options;
    const { onFault } = options;
    this.#repeated = new RepeatedLook({
      look: () => this.#look(),
      intervalMs: accessLookIntervalMs,
      onFault,
    });
  }

  static async open(options: AccessGrantsOptions): Promise<AccessGrants> {
    const grants = new AccessGrants(options);
    await grants.look();
    grants.#repeated.start();
    return grants;
  }

  /** The policy with the grants. Ask again for each decision: it changes. */
  policy(): Policy {
    const base = this.#options.base();
    if (this.#policy?.base !== base) {
      const granted = withOwnHost(base, this.#grants, this.#options);
      this.#policy = { base, granted };
    }
    return this.#policy.granted;
  }

  /** Calls the listener when other grants are in force: what lives on the old ones is to be judged again. */
  onChange(listener: (policy: Policy) => void): void {
    this.#listeners.add(listener);
  }

  /** Looks now. Faults of the store go to `onFault`; the clock ends grants all the same. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  /** Looks soon, once for all calls until then. */
  lookSoon(): void {
    this.#repeated.soon();
  }

  /** Looks soon. Whether what was decided before this call holds. */
  taken(): Promise<boolean> {
    return this.#repeated.taken();
  }

  close(): Promise<void> {
    return this.#repeated.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(): Promise<void> {
    const { store, clock, onEnded, isOnDuty = () => true } = this.#options;
    const nowMs = clock();
    // First what needs no store, so that a store that fails prolongs nothing.
    this.#replace(this.#grants.filter(({ endsMs }) => endsMs > nowMs));
    const ended = isOnDuty() ? await store.expire(nowMs) : [];
    // Behind an outage more may be due than one call takes.
    if (ended.length >= pruneBatch) this.lookSoon();
    this.#replace((await store.inForce(nowMs)).flatMap(grantOf));
    for (const record of ended) await onEnded(record);
  }

  #replace(grants: readonly AccessGrant[]): void {
    if (JSON.stringify(grants) === JSON.stringify(this.#grants)) return;
    this.#grants = grants;
    this.#policy = undefined;
    for (const listener of this.#listeners) listener(this.policy());
  }
}

/** A policy under which the gateway responds at its own name and in the place of clouds, with these grants on top. */
export function withOwnHost(
  base: Policy,
  grants: readonly AccessGrant[],
  { limits, emulated }: Pick<AccessGrantsOptions, 'limits' | 'emulated'>,
): GrantedPolicy {
  const { accessBodyBytesMax: bodyBytes } = limits;
  return new GrantedPolicy(
    base,
    grants,
    { bodyBytes, requestsPerSecond: limits.accessCallsPerSecondMax },
    {
      doctorLimits: { bodyBytes, requestsPerSecond: limits.doctorCallsPerSecondMax },
      signLimits: { requestsPerSecond: limits.signaturesPerSecondMax },
      emulated,
    },
  );
}

function grantOf(record: AccessRecord): readonly AccessGrant[] {
  const { id, sessionId, principalId, scheme, host, port, method, path, terms } = record;
  if (terms === undefined) return [];
  if (terms.refs !== undefined) return pushGrantOf(record, terms, terms.refs);
  const bounded = path !== undefined && terms.scope !== 'host';
  return [
    {
      id,
      scheme,
      host,
      port,
      subject: terms.subject === 'principal' ? { principalId } : { sessionId },
      ...(method === undefined ? {} : { method }),
      ...(bounded ? { path: { path, below: terms.scope === 'path' } } : {}),
      endsMs: terms.endsMs,
    },
  ];
}

/** None where it is not about a repository or a ref cannot be read: a grant that is not understood opens nothing. */
function pushGrantOf(
  { id, sessionId, principalId, scheme, host, port, method, path }: AccessRecord,
  { subject, endsMs }: AccessTerms,
  refs: readonly string[],
): readonly AccessGrant[] {
  const repository = pushedRepository({ method, path });
  const push = repository === undefined || refs.length === 0 ? undefined : pushGrant(repository, refs);
  if (push === undefined || typeof push === 'string') return [];
  const theirs = subject === 'principal' ? { principalId } : { sessionId };
  return [{ id, scheme, host, port, subject: theirs, push, endsMs }];
}
