// One path of a Vault for one session: a lease of its own, asked for when it is first used, prolonged while the session uses it, and followed by
// another one where that is no longer possible.

import { defaultLimits } from '../../../protocol/limits.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { NewLease } from '../../../store/lease-store.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { jitteredValue, RenewedValue } from '../sources/renewed-value.ts';
import type { TimedValue } from '../sources/renewed-value.ts';
import type { ServiceResponse } from '../../forward/service-fetch.ts';
import { readLeaseDurationMs, readSecret, refusal } from './vault-response.ts';
import type { VaultReading } from './vault-response.ts';
import type { VaultClient } from './vault-client.ts';
import type { LeaseSession, SessionLeases } from '../leases/session-leases.ts';

export interface LeasedSecretOptions {
  readonly client: VaultClient;
  readonly background: BackgroundRenewals;
  readonly leases: SessionLeases;
  readonly session: LeaseSession;
  /** Of the credential that is used first. */
  readonly credential: string;
  readonly path: string;
  /** From 0 on, below 1. */
  readonly random?: () => number;
}

type Reading = VaultReading & { readonly lease: NonNullable<VaultReading['lease']> };

export class LeasedSecret {
  readonly #options: LeasedSecretOptions;
  readonly #readings: RenewedValue<Reading>;
  /** The rows of what was read. */
  readonly #rows = new WeakMap<Reading, NewLease>();
  #isClosed = false;

  constructor(options: LeasedSecretOptions) {
    this.#options = options;
    this.#readings = new RenewedValue((nowMs, known) => this.#next(nowMs, known), options.background);
  }

  /** @throws ProxyError credential_unavailable, limit_exceeded, audit_unavailable */
  async read(nowMs: number): Promise<VaultReading> {
    this.#assertOpen();
    // Vault ends leases with the token that they were given to.
    this.#options.client.use(nowMs);
    const reading = await this.#readings.read(nowMs);
    this.#assertOpen();
    return reading;
  }

  reject(reading: VaultReading, nowMs: number): void {
    // Only what was read here is known here.
    this.#readings.reject(reading as Reading, nowMs);
  }

  /** Something that was logged in with it goes on: until it is let go, it is prolonged. */
  hold(): Disposable {
    const stack = new DisposableStack();
    stack.use(this.#readings.hold());
    stack.use(this.#options.client.hold());
    return stack;
  }

  /** The session is over. */
  close(): void {
    this.#isClosed = true;
    this.#readings.close();
  }

  #assertOpen(): void {
    if (this.#isClosed)
      throw new ProxyError('credential_unavailable', 'the session is over and has no lease any more');
  }

  async #next(nowMs: number, known: TimedValue<Reading> | undefined): Promise<TimedValue<Reading>> {
    this.#assertOpen();
    if (known === undefined) return await this.#ask(nowMs);
    const isEnded = nowMs >= known.endsAtMs;
    if (known.rejected !== true && !isEnded) {
      const renewed = await this.#prolong(known.value, nowMs);
      if (renewed !== undefined) return renewed;
    }
    const next = await this.#ask(nowMs);
    const row = this.#rows.get(known.value);
    if (row !== undefined) await this.#leave(row, known.rejected === true ? 0 : known.endsAtMs - nowMs);
    return next;
  }

  /** What was logged in with it may go on until its end. */
  async #leave(row: NewLease, afterMs: number): Promise<void> {
    const { background, leases } = this.#options;
    if (afterMs <= 0) await leases.release(row);
    else background.after(afterMs, () => leases.release(row));
  }

  /** Undefined if it cannot be, or if the server gives so little that another one is due. */
  async #prolong(reading: Reading, nowMs: number): Promise<TimedValue<Reading> | undefined> {
    const { client, leases } = this.#options;
    const { lease } = reading;
    const row = this.#rows.get(reading);
    if (row === undefined || !lease.renewable) return undefined;
    client.use(nowMs);
    const body = { lease_id: lease.id, increment: Math.ceil(lease.durationMs / 1000) };
    const response = await client.ask({ method: 'PUT', path: 'sys/leases/renew', body }, nowMs);
    if (response.status !== 200) return undefined;
    const durationMs = readLeaseDurationMs(response);
    if (!(await leases.prolonged(row, durationMs))) return undefined;
    return durationMs < lease.durationMs / 3 ? undefined : this.#timed(reading, nowMs, durationMs);
  }

  async #ask(nowMs: number): Promise<TimedValue<Reading>> {
    const { client, leases, session, credential, path } = this.#options;
    // A log-in that fails asks for no lease.
    await client.logIn(nowMs);
    const row = await leases.ask(session, credential);
    const reading = await this.#given(row, nowMs);
    const { id: leaseId, durationMs } = reading.lease;
    const onLost = (): void => this.#readings.reject(reading, nowMs);
    try {
      await leases.take(row, client.given(leaseId), { lifetimeMs: durationMs, path, onLost });
    } catch (error) {
      // Its row says the same again where this does not succeed.
      await client.giveBack(leaseId, nowMs, defaultLimits.vaultFarewellTimeoutMs).catch(() => undefined);
      throw error;
    }
    this.#rows.set(reading, row);
    // The session ended meanwhile: whoever looks gives it back.
    if (this.#isClosed) await leases.release(row);
    return this.#timed(reading, nowMs, durationMs);
  }

  /** What is not known to be refused may have been given: its row stays. */
  async #given(row: NewLease, nowMs: number): Promise<Reading> {
    const { client, leases, path } = this.#options;
    const response = await client.ask({ method: 'GET', path }, nowMs).catch(async (error: unknown) => {
      if (wasNeverSent(error)) await leases.notGiven(row);
      throw error;
    });
    if (response.status !== 200) {
      if (!wasCutOff(response)) await leases.notGiven(row);
      throw refusal(`Vault ${client.host} gave nothing for ${path}`, response);
    }
    const { fields, lease } = readSecret(response);
    if (lease !== undefined && lease.durationMs > 0) return { fields, lease };
    await leases.notGiven(row);
    throw new ProxyError(
      'credential_unavailable',
      `Vault ${client.host} gave no lease that ends for ${path}: perSession is for secrets that Vault makes for a time`,
    );
  }

  #timed(value: Reading, nowMs: number, lifetimeMs: number): TimedValue<Reading> {
    const { random = Math.random } = this.#options;
    return jitteredValue(value, { nowMs, lifetimeMs, random });
  }
}

/** Somebody between here and Vault did not wait for its response. */
function wasCutOff({ status }: ServiceResponse): boolean {
  return status === 502 || status === 504;
}

/** There was no connection: what is behind that has a code of its own. */
function wasNeverSent(error: unknown): boolean {
  const causes: unknown[] = [];
  for (let one = error; one instanceof Error && causes.length < 8; one = one.cause) causes.push(one.cause);
  return causes.some((cause) => cause instanceof ProxyError);
}
