// The numbers by which clients name their connections to KILL what runs there: each has one of ours, which serves the session that it was
// given to, at the one server and by the one rule. The number that the server has is known once it was logged in to.

export interface ThreadScope {
  readonly sessionId: string;
  readonly rule: string;
  readonly host: string;
  readonly port: number;
}

export interface Thread {
  readonly id: number;
  /** The number of the server. */
  readonly serverId: number;
  readonly address: string;
}

/** Larger than those of servers, which count from one, and a number that is positive everywhere. */
const idMin = 2 ** 30;

export class ThreadIds {
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #scopes = new Map<string, Map<number, Thread>>();

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  get size(): number {
    return this.#scopes.size;
  }

  /** For a client, before its server has one. */
  newId(): number {
    const octets = this.#randomBytes(4);
    const number = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    return idMin + (number >>> 2);
  }

  /** To be disposed of with the connection. */
  add(scope: ThreadScope, thread: Thread): Disposable {
    const name = nameOf(scope);
    const threads = this.#scopes.get(name) ?? new Map<number, Thread>();
    this.#scopes.set(name, threads);
    threads.set(thread.id, thread);
    return {
      [Symbol.dispose]: () => {
        if (threads.get(thread.id) === thread) threads.delete(thread.id);
        if (threads.size === 0 && this.#scopes.get(name) === threads) this.#scopes.delete(name);
      },
    };
  }

  /** Of one's own session: by the number that its client was told, or by that of the server at the address. */
  find(scope: ThreadScope, id: number, address: string): Thread | undefined {
    const threads = this.#scopes.get(nameOf(scope));
    if (threads === undefined) return undefined;
    const told = threads.get(id);
    if (told !== undefined) return told;
    return [...threads.values()].find((one) => one.serverId === id && one.address === address);
  }
}

function nameOf({ sessionId, rule, host, port }: ThreadScope): string {
  return JSON.stringify([sessionId, rule, host, port]);
}
