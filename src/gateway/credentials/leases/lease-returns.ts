// Gives back leases whose session is over, whose holder is gone, and those that nobody uses any more. The store says which: what a gateway that
// was killed has left, another one gives back, or the same one at its next start.

import { asProxyError, type ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { ClaimedLease, LeaseStore } from '../../../store/lease-store.ts';
import { RepeatedLook } from '../../../system/repeated-look.ts';
import type { SessionStep } from '../../audit/session-audit.ts';
import type { LeaseSeal } from './lease-seal.ts';
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
    const claim = { claimMs, limit, askedMs, holderId, holderAwayMs, endedMs: holderAwayMs };
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
      const failed = await giveBack(given, nowMs).then(
        () => undefined,
        (error: unknown) => asProxyError(error),
      );
      if (failed === undefined) return await this.#over(lease, givenBackStep(lease, given, nowMs));
      if (lease.isEnded) return await this.#over(lease, lostStep(lease, failed.message, nowMs));
      await store.postpone(id, retryMsOf(lease));
      if (lease.attempts === defaultLimits.leaseAttemptsUntold)
        await record(notGivenBackStep(lease, failed.message, nowMs));
    } catch (error) {
      this.#options.onFault(asProxyError(error));
    }
  }

  /** Told by the one who takes it out of the store. */
  async #over({ id }: ClaimedLease, step: SessionStep): Promise<void> {
    const { store, record } = this.#options;
    if (await store.forget(id)) await record(step);
  }
}

/** Twice as long each time. */
function retryMsOf({ attempts }: ClaimedLease): number {
  const { leaseRetryMs, leaseRetryMsMax } = defaultLimits;
  return Math.min(leaseRetryMs * 2 ** Math.min(attempts, 20), leaseRetryMsMax);
}
