// Gives back leases whose session is over, whose holder is gone, and those that nobody uses any more. The store says which: what a gateway that
// was killed has left, another one gives back, or the same one at its next start.

import { asProxyError, type ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { ClaimedLease, LeaseStore } from '../../../store/lease-store.ts';
import { RepeatedLook } from '../../../system/repeated-look.ts';
import type { SessionStep } from '../../audit/session-audit.ts';
import type { GivenLease, LeaseSeal } from './lease-seal.ts';
import { givenBackStep, lostStep, notGivenBackStep } from './lease-steps.ts';
import type { GiveBack, SessionLeases } from './session-leases.ts';

export interface LeaseReturnsOptions {
  readonly store: LeaseStore;
  readonly seal: LeaseSeal;
  readonly leases: SessionLeases;
  readonly giveBack: GiveBack;
  readonly holderId: string;
  /** A process that has said nothing for so long has none any more. */
  readonly holderAwayMs: number;
  readonly isOnDuty: () => boolean;
  readonly clock: () => number;
  readonly record: (step: SessionStep) => Promise<void>;
  readonly onFault: (error: ProxyError) => void;
}

export class LeaseReturns implements AsyncDisposable {
  readonly #options: LeaseReturnsOptions;
  readonly #repeated: RepeatedLook;
  /** Leases of servers of which this gateway knows nothing, and until when others are left to give them back. */
  readonly #elsewhere = new Map<string, number>();

  constructor(options: LeaseReturnsOptions) {
    this.#options = options;
    const { leaseLookMs: intervalMs } = defaultLimits;
    const { onFault } = options;
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs, firstMs: 0, onFault });
  }

  start(): void {
    this.#repeated.start();
  }

  /** Something may be due. */
  soon(): void {
    this.#repeated.soon();
  }

  /** Looks now; resolves when that is over. */
  now(): Promise<void> {
    return this.#repeated.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(): Promise<void> {
    const { store, leases, holderId, holderAwayMs, isOnDuty } = this.#options;
    await leases.sayAgain();
    if (!isOnDuty()) {
      leases.failing = 0;
      return;
    }
    const { leaseClaimMs: claimMs, leasesGivenBackMax: limit, leaseAskedMs: askedMs } = defaultLimits;
    const except = this.#except();
    const claim = { claimMs, limit, askedMs, holderId, holderAwayMs, endedMs: holderAwayMs, except };
    const { leases: due, failing } = await store.claim(claim);
    leases.failing = failing;
    await Promise.all(due.map((lease) => this.#return(lease)));
    if (due.length >= limit) this.#repeated.soon();
  }

  async #return(lease: ClaimedLease): Promise<void> {
    const { store, seal, giveBack, clock, record } = this.#options;
    const nowMs = clock();
    const { id, sealed } = lease;
    try {
      if (sealed === undefined)
        return await this.#over(
          lease,
          lostStep(lease, 'it was asked for, and no response was written down', nowMs),
        );
      const given = seal.open(lease, sealed);
      if (given === undefined)
        return await this.#over(
          lease,
          lostStep(lease, 'its row is sealed by another key, or was changed', nowMs),
        );
      const how = await giveBack(given, nowMs).catch((error: unknown) => asProxyError(error));
      if (how === 'given back') return await this.#over(lease, givenBackStep(lease, given, nowMs));
      const why = how === 'elsewhere' ? unknownServer(given) : how.message;
      if (lease.isEnded) return await this.#over(lease, lostStep(lease, why, nowMs));
      // One that another gateway can give back does not wait for that.
      if (how === 'elsewhere') this.#elsewhere.set(id, nowMs + defaultLimits.leaseRetryMsMax);
      await store.postpone(id, how === 'elsewhere' ? 0 : retryMsOf(lease));
      if (lease.attempts === defaultLimits.leaseAttemptsUntold)
        await record(notGivenBackStep(lease, why, nowMs));
    } catch (error) {
      this.#options.onFault(asProxyError(error));
    }
  }

  #except(): readonly string[] {
    const nowMs = this.#options.clock();
    for (const [id, untilMs] of this.#elsewhere) if (untilMs <= nowMs) this.#elsewhere.delete(id);
    return [...this.#elsewhere.keys()];
  }

  /** Told by the one who takes it out of the store. */
  async #over({ id }: ClaimedLease, step: SessionStep): Promise<void> {
    const { store, record } = this.#options;
    if (await store.forget(id)) await record(step);
  }
}

const unknownServer = ({ address }: GivenLease): string =>
  `no credential of the configuration is of Vault ${new URL(address).host}, in the namespace of the lease`;

/** Twice as long each time. */
function retryMsOf({ attempts }: ClaimedLease): number {
  const { leaseRetryMs, leaseRetryMsMax } = defaultLimits;
  return Math.min(leaseRetryMs * 2 ** Math.min(attempts, 20), leaseRetryMsMax);
}
