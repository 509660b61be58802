// Leases that sessions have of a Vault, as this process has them: each has a row in the store before it is asked for, and says there by what it
// is given back before anybody uses it.

import { randomUUID } from 'node:crypto';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { defaultLimits, type LimitName } from '../../../protocol/limits.ts';
import type { LeaseBounds, LeaseStore, NewLease } from '../../../store/lease-store.ts';
import type { SessionStep } from '../../audit/session-audit.ts';
import type { GivenLease, LeaseSeal } from './lease-seal.ts';
import { givenBackStep, takenStep } from './lease-steps.ts';

/** In whose name a lease is. */
export interface LeaseSession {
  /** The session that began by a token: those that it made share what it has. */
  readonly rootId: string;
  readonly principalId: string;
  /** Of the token by which it began. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface SessionLeasesOptions {
  readonly store: LeaseStore;
  readonly seal: LeaseSeal;
  /** This process. */
  readonly holderId: string;
  readonly limits: LeaseBounds;
  readonly clock: () => number;
  /** Waits until the audit has it. @throws ProxyError audit_unavailable */
  readonly record: (step: SessionStep) => Promise<void>;
  readonly onFault: (error: ProxyError) => void;
}

/** `elsewhere`: this gateway knows nothing of the server that gave it. @throws ProxyError credential_unavailable */
export type GiveBack = (
  given: GivenLease,
  nowMs: number,
  timeoutMs?: number,
) => Promise<'given back' | 'elsewhere'>;

interface Held {
  readonly lease: NewLease;
  readonly given: GivenLease;
  /** Called where the store has it no more. */
  readonly onLost: () => void;
  endsAtMs: number;
  /** The store has its end, sealed by this key. */
  saidBy: string | undefined;
}

export class SessionLeases {
  readonly #options: SessionLeasesOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: SessionLeasesOptions) {
    this.#options = options;
  }

  /** How many this process has. */
  get size(): number {
    return this.#held.size;
  }

  /** Leases in the store that could not be given back, when this process looked last. */
  failing = 0;

  /** Told of a session that asks and does not live: something of it came behind its end. */
  onOver: (rootId: string) => void = () => undefined;

  /** Before it is asked for. @throws ProxyError credential_unavailable, limit_exceeded */
  async ask({ rootId, principalId }: LeaseSession, credential: string): Promise<NewLease> {
    const { store, holderId, limits } = this.#options;
    const lease = { id: randomUUID(), sessionId: rootId, principalId, credential, holderId };
    const outcome = await store.ask(lease, limits).catch((error: unknown) => {
      throw withoutStore(error);
    });
    switch (outcome.kind) {
      case 'asked':
        return lease;
      case 'over':
        this.onOver(rootId);
        throw new ProxyError('credential_unavailable', 'the session is over and has no lease any more');
      case 'full':
        throw full(outcome.bound, limits);
    }
  }

  /** It was not given. */
  async notGiven({ id }: NewLease): Promise<void> {
    await this.#options.store.forget(id).catch((error: unknown) => this.#fault(error));
  }

  /**
   * Before it is used. Whoever gets an error has to give it back.
   * @throws ProxyError credential_unavailable, audit_unavailable
   */
  async take(
    lease: NewLease,
    given: GivenLease,
    {
      lifetimeMs,
      path,
      onLost,
    }: { readonly lifetimeMs: number; readonly path: string; readonly onLost: () => void },
  ): Promise<void> {
    const { clock, record } = this.#options;
    const nowMs = clock();
    const held: Held = { lease, given, onLost, endsAtMs: nowMs + lifetimeMs, saidBy: undefined };
    const isThere = await this.#say(held).catch((error: unknown) => {
      throw withoutStore(error);
    });
    if (!isThere)
      throw new ProxyError('credential_unavailable', 'the store takes the lease for lost; it is given back');
    this.#held.set(lease.id, held);
    try {
      await record(takenStep(lease, given, { path, lifetimeMs, nowMs }));
    } catch (error) {
      await this.release(lease);
      throw error;
    }
  }

  /** It was prolonged. False if it is to be given back instead. A store that is away is told later. */
  async prolonged({ id }: NewLease, lifetimeMs: number): Promise<boolean> {
    const held = this.#held.get(id);
    if (held === undefined) return false;
    held.endsAtMs = this.#options.clock() + lifetimeMs;
    held.saidBy = undefined;
    return await this.#say(held).catch((error: unknown) => {
      this.#fault(error);
      return true;
    });
  }

  /** Nobody uses it any more: whoever looks next gives it back. */
  async release({ id }: NewLease): Promise<void> {
    this.#held.delete(id);
    await this.#options.store.release(id).catch((error: unknown) => this.#fault(error));
  }

  /** The session is over, so its leases are due. */
  forget(rootId: string): void {
    for (const [id, { lease }] of this.#held) if (lease.sessionId === rootId) this.#held.delete(id);
  }

  /** At the end of the process. What is not given back here is left to others, to its next start, and to the end of the log-in at Vault. */
  async farewell(giveBack: GiveBack): Promise<void> {
    const { store, clock, record } = this.#options;
    const held = [...this.#held.values()].slice(0, defaultLimits.leasesAtFarewellMax);
    this.#held.clear();
    const returned = held.map(async ({ lease, given }) => {
      try {
        const how = await giveBack(given, clock(), defaultLimits.vaultFarewellTimeoutMs);
        if (how === 'given back' && (await store.forget(lease.id)))
          await record(givenBackStep(lease, given, clock()));
      } catch (error) {
        this.#fault(error);
      }
    });
    await Promise.all(returned);
  }

  /** Tells the store what it could not be told, and seals with a new key what was sealed with an earlier one. */
  async sayAgain(): Promise<void> {
    for (const held of this.#held.values()) {
      if (held.saidBy === this.#options.seal.kid) continue;
      if (await this.#say(held)) continue;
      this.#held.delete(held.lease.id);
      held.onLost();
    }
  }

  async #say(held: Held): Promise<boolean> {
    const { store, seal, clock } = this.#options;
    const { kid } = seal;
    const { lease, given, endsAtMs } = held;
    const lifetimeMs = Math.round(endsAtMs - clock());
    const isThere = await store.hold(lease.id, { sealed: seal.seal(lease, given), lifetimeMs });
    // It may have been prolonged meanwhile.
    if (held.endsAtMs === endsAtMs) held.saidBy = kid;
    return isThere;
  }

  #fault(error: unknown): void {
    this.#options.onFault(asProxyError(error));
  }
}

function withoutStore(error: unknown): ProxyError {
  const cause = asProxyError(error);
  return new ProxyError(
    'credential_unavailable',
    'a lease of its own for the session cannot be written down in the store, so none is used',
    {
      cause,
      operatorDetail: cause.message,
      ...(cause.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: cause.retryAfterSeconds }),
    },
  );
}

const ofWhom: Readonly<Record<keyof LeaseBounds, string>> = {
  leasesPerSessionMax: 'the session and those that it made have',
  leasesPerPrincipalMax: 'the sessions of the principal have',
  leasesMax: 'all sessions together have',
};

function full(bound: keyof LeaseBounds & LimitName, limits: LeaseBounds): ProxyError {
  return new ProxyError(
    'limit_exceeded',
    `${ofWhom[bound]} ${String(limits[bound])} leases, with those that are still to be given back (${bound})`,
    { limit: bound },
  );
}
