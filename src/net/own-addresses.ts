// The addresses of this machine, which a rule has to open one by one. To list seven of them takes 80 µs of
// processor time, and more on a host of many containers, so the list is kept for a moment, and what it does not know yet is found by the connection itself.

import type { Socket } from 'node:net';
import { defaultLimits } from '../protocol/limits.ts';
import { type AddressVerdict, checkAddress, plainAddress } from './address-guard.ts';
import { interfaceAddresses } from './interface-addresses.ts';

export class OwnAddresses {
  readonly #list: () => ReadonlySet<string>;
  readonly #nowMs: () => number;
  #known: ReadonlySet<string> | undefined;
  #listedMs = 0;

  /** @param nowMs of a clock that never goes back */
  constructor(list = interfaceAddresses, nowMs = (): number => performance.now()) {
    this.#list = list;
    this.#nowMs = nowMs;
  }

  /** In their plain form, and out of date by `ownAddressesAgeMsMax` at most. */
  get(): ReadonlySet<string> {
    const nowMs = this.#nowMs();
    if (this.#known === undefined || nowMs - this.#listedMs >= defaultLimits.ownAddressesAgeMsMax) {
      this.#known = this.#list();
      this.#listedMs = nowMs;
    }
    return this.#known;
  }
}

/** Whether a connection may stay. The kernel connects this machine with itself from the very address that was dialled. */
export function checkConnected(
  { localAddress }: Pick<Socket, 'localAddress'>,
  address: string,
  opened: readonly string[],
): AddressVerdict {
  const isOwn = localAddress !== undefined && plainAddress(localAddress) === plainAddress(address);
  return isOwn ? checkAddress(address, opened, new Set([plainAddress(address)])) : { allowed: true };
}
