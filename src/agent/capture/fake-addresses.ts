// Addresses that stand for names: every name has one of its own, and the address that a connection arrives on says which
// name was meant.

import { formatIpv4, parseIpv4 } from '../../http/ip-address.ts';

export interface FakeAddressOptions {
  /** Names that are remembered at once. */
  readonly namesMax: number;
  /** For tests: first address and number of addresses; by default those of 198.18.0.0/15 (RFC 2544) but for its edges. */
  readonly first?: string;
  readonly count?: number;
}

interface Entry {
  readonly name: string;
  readonly address: string;
  /** Connections that are open to it. */
  holds: number;
}

/** The range that is local inside the namespace. */
export const fakeNetwork = { address: '198.18.0.1', bits: 15, netmask: '255.254.0.0' } as const;

/** Where there is no namespace: 127.64.0.0/10, which is local everywhere; the resolver has the first address. */
export const loopbackNetwork = { resolver: '127.64.0.1', first: '127.64.1.0', count: 4_000_000 } as const;

/**
 * A bounded map in both directions. The name that was not used for longest makes room for a new one, but never while a
 * connection is open to it; and addresses go round, so that one that was given back comes again late.
 */
export class FakeAddresses {
  readonly #namesMax: number;
  readonly #first: number;
  readonly #count: number;
  /** In the order of their last use. */
  readonly #byName = new Map<string, Entry>();
  readonly #byAddress = new Map<string, Entry>();
  #next = 0;

  constructor({ namesMax, first = '198.18.1.0', count = 130_000 }: FakeAddressOptions) {
    this.#first = parseIpv4(first) ?? 0;
    this.#count = count;
    this.#namesMax = Math.min(namesMax, count);
  }

  get size(): number {
    return this.#byName.size;
  }

  /** The address of a name, a new one if it has none. Undefined: all that there may be are in use by connections. */
  addressOf(name: string): string | undefined {
    const known = this.#byName.get(name);
    if (known !== undefined) {
      this.#touch(known);
      return known.address;
    }
    if (this.#byName.size >= this.#namesMax && !this.#forgetOldest()) return undefined;
    const address = this.#freeAddress();
    const entry = { name, address, holds: 0 };
    this.#byName.set(name, entry);
    this.#byAddress.set(address, entry);
    return address;
  }

  nameOf(address: string): string | undefined {
    return this.#byAddress.get(address)?.name;
  }

  /** Keeps the address for a connection until it is disposed. Undefined if the address stands for no name. */
  hold(address: string): (Disposable & { readonly name: string }) | undefined {
    const entry = this.#byAddress.get(address);
    if (entry === undefined) return undefined;
    this.#touch(entry);
    entry.holds += 1;
    let isHeld = true;
    return {
      name: entry.name,
      [Symbol.dispose]: () => {
        if (isHeld) entry.holds -= 1;
        isHeld = false;
      },
    };
  }

  #touch(entry: Entry): void {
    this.#byName.delete(entry.name);
    this.#byName.set(entry.name, entry);
  }

  #forgetOldest(): boolean {
    for (const entry of this.#byName.values()) {
      if (entry.holds > 0) continue;
      this.#byName.delete(entry.name);
      this.#byAddress.delete(entry.address);
      return true;
    }
    return false;
  }

  /** There is one, for there are fewer names than addresses. */
  #freeAddress(): string {
    for (;;) {
      const address = formatIpv4(this.#first + this.#next);
      this.#next = (this.#next + 1) % this.#count;
      if (!this.#byAddress.has(address)) return address;
    }
  }
}
