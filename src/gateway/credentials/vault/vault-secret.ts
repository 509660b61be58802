// One path of a Vault: read when it is needed, its lease renewed at two thirds, read anew when that is no longer possible.

import { defaultLimits } from '../../../protocol/limits.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { RenewedValue } from '../sources/renewed-value.ts';
import type { TimedValue } from '../sources/renewed-value.ts';
import { readLeaseDurationMs, readSecret, refusal } from './vault-response.ts';
import type { VaultReading } from './vault-response.ts';
import type { VaultClient } from './vault-client.ts';

export interface VaultSecretOptions {
  readonly client: VaultClient;
  readonly background: BackgroundRenewals;
  readonly path: string;
  readonly refreshSeconds: number;
}

export class VaultSecret {
  readonly #options: VaultSecretOptions;
  readonly #readings: RenewedValue<VaultReading>;
  readonly #leases = new Map<string, number>();

  constructor(options: VaultSecretOptions) {
    this.#options = options;
    this.#readings = new RenewedValue((nowMs, known) => this.#next(nowMs, known), options.background);
  }

  /** Leases that are to be given back. */
  get leaseIds(): readonly string[] {
    return [...this.#leases.keys()];
  }

  /** @throws ProxyError credential_unavailable */
  read(nowMs: number): Promise<VaultReading> {
    // Vault ends leases with the token that they were given to.
    this.#options.client.use(nowMs);
    return this.#readings.read(nowMs);
  }

  reject(reading: VaultReading, nowMs: number): void {
    this.#readings.reject(reading, nowMs);
  }

  async #next(nowMs: number, known: TimedValue<VaultReading> | undefined): Promise<TimedValue<VaultReading>> {
    if (known !== undefined && known.rejected !== true && nowMs < known.endsAtMs) {
      const renewed = await this.#renewLease(known.value, nowMs);
      if (renewed !== undefined) return renewed;
    }
    return this.#read(nowMs);
  }

  /** Undefined if there is nothing to renew, or if the server gives so little that a new secret is due. */
  async #renewLease(reading: VaultReading, nowMs: number): Promise<TimedValue<VaultReading> | undefined> {
    const { lease } = reading;
    if (lease === undefined || !lease.renewable) return undefined;
    const body = { lease_id: lease.id, increment: Math.ceil(lease.durationMs / 1000) };
    const response = await this.#options.client.ask({ method: 'PUT', path: 'sys/leases/renew', body }, nowMs);
    if (response.status !== 200) return undefined;
    const durationMs = readLeaseDurationMs(response);
    this.#keepLease(lease.id, nowMs + durationMs, nowMs);
    if (durationMs < lease.durationMs / 3) return undefined;
    return leased(reading, nowMs, durationMs);
  }

  async #read(nowMs: number): Promise<TimedValue<VaultReading>> {
    const { client, path, refreshSeconds } = this.#options;
    const response = await client.ask({ method: 'GET', path }, nowMs);
    if (response.status !== 200) throw refusal(`Vault ${client.host} gave nothing for ${path}`, response);
    const reading = readSecret(response);
    if (reading.lease === undefined) {
      const refreshMs = refreshSeconds * 1000;
      return {
        value: reading,
        renewAtMs: nowMs + refreshMs,
        endsAtMs: nowMs + refreshMs + defaultLimits.vaultOutageMs,
      };
    }
    const { id, durationMs } = reading.lease;
    if (durationMs === 0)
      throw new ProxyError('credential_unavailable', `Vault ${client.host} gave a lease without a duration`);
    this.#keepLease(id, nowMs + durationMs, nowMs);
    return leased(reading, nowMs, durationMs);
  }

  #keepLease(id: string, endsAtMs: number, nowMs: number): void {
    for (const [other, otherEndsMs] of this.#leases) if (otherEndsMs <= nowMs) this.#leases.delete(other);
    this.#leases.delete(id);
    this.#leases.set(id, endsAtMs);
    const [oldest] = this.#leases.keys();
    if (this.#leases.size > defaultLimits.vaultLeasesMax && oldest !== undefined) this.#leases.delete(oldest);
  }
}

function leased(value: VaultReading, nowMs: number, durationMs: number): TimedValue<VaultReading> {
  return { value, renewAtMs: nowMs + (durationMs * 2) / 3, endsAtMs: nowMs + durationMs };
}
