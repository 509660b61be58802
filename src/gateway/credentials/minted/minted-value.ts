// What a token service gives for a proof, and what ends: minted once for all who use it, anew at 60 to 80 % of its life, and anew once if an
// origin refuses it. A service that fails is left alone for longer each time.

import { asProxyError, type ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { jitteredValue, RenewedValue } from '../sources/renewed-value.ts';

export interface Minted<T> {
  readonly value: T;
  /** By the service's clock. */
  readonly lifetimeMs: number;
}

export interface MintedValueOptions {
  /** Told of the first failure in a row: the audit has those that keep a request from going. */
  readonly onFault?: ((error: ProxyError) => void) | undefined;
  readonly background: BackgroundRenewals;
  /** From 0 on, below 1. */
  readonly random?: (() => number) | undefined;
}

/** Of a `Secret<string>` it is a source of credentials. */
export class MintedValue<T> {
  readonly #values: RenewedValue<T>;

  /** `mint` asks the service, and throws `credential_unavailable`; it is never asked twice at once. */
  constructor(
    mint: (nowMs: number) => Promise<Minted<T>>,
    { background, onFault, random = Math.random }: MintedValueOptions,
  ) {
    let isFailing = false;
    this.#values = new RenewedValue(
      async (nowMs) => {
        try {
          const { value, lifetimeMs } = await mint(nowMs);
          isFailing = false;
          return jitteredValue(value, { nowMs, lifetimeMs, random });
        } catch (error) {
          if (!isFailing) onFault?.(asProxyError(error));
          isFailing = true;
          throw error;
        }
      },
      background,
      (failures, holds) => failureHoldMs(failures, holds) * (0.75 + 0.25 * random()),
    );
  }

  /** One that is valid now. @throws what `mint` threw */
  read(nowMs: number): Promise<T> {
    return this.#values.read(nowMs);
  }

  /** An origin did not take it. */
  reject(value: T, nowMs: number): void {
    this.#values.reject(value, nowMs);
  }

  /** Nobody reads it any more. */
  close(): void {
    this.#values.close();
  }
}

function failureHoldMs(failures: number, holds: boolean): number {
  const { issuerFailureHoldMs, issuerFailureHoldWithValueMs, tokenServiceHoldMsMax } = defaultLimits;
  const firstMs = holds ? issuerFailureHoldWithValueMs : issuerFailureHoldMs;
  return Math.min(tokenServiceHoldMsMax, firstMs * 2 ** Math.min(failures - 1, 16));
}
