// The keys by which clients cancel what runs: each client has one of our own, which serves the session that it was given to, at
// the one server and by the one rule.

import type { CancelKey } from './start-packet.ts';

/** Who may cancel with a key: a client that sends it elsewhere must not lead the gateway from there to here. */
export interface CancelScope {
  readonly sessionId: string;
  readonly rule: string;
  readonly host: string;
  readonly port: number;
}

/** Where a request to cancel goes, and with which key. */
export interface Cancellable<Place> {
  readonly key: CancelKey;
  readonly place: Place;
}

export class CancelKeys<Place> {
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #known = new Map<string, Cancellable<Place>>();

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A key for a client of that scope, of the form of protocol 3.0; `forget` when its connection has ended. */
  add(scope: CancelScope, one: Cancellable<Place>): { readonly key: CancelKey; readonly forget: () => void } {
    for (;;) {
      const octets = this.#randomBytes(8);
      // A positive number of 31 bits: clients show it as one of a process.
      const processId = ((octets[0] ?? 0) & 0x7f) * 2 ** 24 + numberOf(octets.subarray(1, 4));
      const key = { processId, secret: octets.slice(4, 8) };
      const name = nameOf(scope, key);
      if (this.#known.has(name)) continue;
      this.#known.set(name, one);
      return { key, forget: () => void this.#known.delete(name) };
    }
  }

  /** Of one's own session, at the server that it is sent to, whoever has learned the key. */
  find(scope: CancelScope, key: CancelKey): Cancellable<Place> | undefined {
    return this.#known.get(nameOf(scope, key));
  }
}

function numberOf(octets: Uint8Array): number {
  return octets.reduce((number, octet) => number * 256 + octet, 0);
}

function nameOf({ sessionId, rule, host, port }: CancelScope, { processId, secret }: CancelKey): string {
  return JSON.stringify([processId, Buffer.from(secret).toString('hex'), sessionId, rule, host, port]);
}
