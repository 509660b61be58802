// What clients did, compared with what the audit says of it: each request with a response has one event that agrees, each that failed at
// most one, no event is of a request that nobody made, and none stands before one that was over when it began.

import assert from 'node:assert/strict';

/** What a gateway that cannot write its audit says; it can write no event of that either. */
const untoldStatus = 503;

type Event = Readonly<Record<string, unknown>>;

interface Made {
  readonly path: string;
  readonly begunAt: number;
  endedAt: number;
  /** 0: it failed, and nobody knows what became of it. */
  status: number;
}

export class AuditHistory {
  readonly #made = new Map<string, Made>();
  readonly #gatewayOf: (event: Event) => string | undefined;
  #steps = 0;

  /** @param gatewayOf through which gateway it went: only the events of one are in an order; without a name it is in none */
  constructor(gatewayOf: (event: Event) => string | undefined = () => '') {
    this.#gatewayOf = gatewayOf;
  }

  /** One request, to a path that no other has. Gives its status, or throws what it threw. */
  async request(path: string, send: () => Promise<number>): Promise<number> {
    assert.ok(!this.#made.has(path), `${path} was asked for before`);
    const made: Made = { path, begunAt: (this.#steps += 1), endedAt: Number.POSITIVE_INFINITY, status: 0 };
    this.#made.set(path, made);
    try {
      made.status = await send();
      return made.status;
    } finally {
      made.endedAt = this.#steps += 1;
    }
  }

  /** How many there were, and how many of them failed. */
  get counts(): { readonly requests: number; readonly failed: number } {
    const all = [...this.#made.values()];
    return { requests: all.length, failed: all.filter(({ status }) => status === 0).length };
  }

  /**
   * @param events of the store, in its order
   * @param receipts paths of the requests that reached an origin: each has its event, whatever its client saw
   */
  check(events: readonly Event[], receipts: ReadonlySet<string> = new Set()): void {
    const ids = new Set(events.map(({ id }) => id));
    assert.equal(ids.size, events.length, 'an event is there twice');
    const exchanges = events.filter(({ kind }) => kind === 'exchange');
    const byPath = Map.groupBy(exchanges, ({ path }) => String(path));
    for (const { path, status } of this.#made.values()) {
      const own = byPath.get(path) ?? [];
      assert.ok(own.length <= 1, `${path} has ${own.length} events`);
      if (receipts.has(path)) assert.equal(own.length, 1, `${path} reached its origin and has no event`);
      if (status === 0 || status === untoldStatus) continue;
      assert.equal(own.length, 1, `${path} has no event`);
      assert.equal(own[0]?.['status'], status, `${path} has another outcome in the audit`);
    }
    for (const path of receipts)
      assert.ok(this.#made.has(path), `nobody asked for ${path}, which an origin got`);
    for (const path of byPath.keys()) assert.ok(this.#made.has(path), `nobody asked for ${path}`);
    for (const [gateway, ofOne] of Map.groupBy(exchanges, this.#gatewayOf))
      if (gateway !== undefined) this.#checkOrder(ofOne);
  }

  /** What was over before another one began stands before it. */
  #checkOrder(exchanges: readonly Event[]): void {
    let latestBegin = 0;
    for (const { path } of exchanges) {
      const made = this.#made.get(String(path));
      // The event of one that failed comes when the gateway notices.
      if (made === undefined || made.status === 0) continue;
      assert.ok(made.endedAt > latestBegin, `${made.path} was over before what stands before it began`);
      latestBegin = Math.max(latestBegin, made.begunAt);
    }
  }
}
