// What a response takes of the budgets of its session beyond its windows: what waits while its client takes nothing, what is held back of
// a body that is searched, and what it takes to decode it.

import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface RoomBudgets {
  readonly held: HeldOctets;
  readonly unread: HeldOctets;
}

export class ResponseRoom implements Disposable {
  readonly #budgets: RoomBudgets;
  readonly #sessionId: string;
  readonly #kept: Reservation[] = [];
  #stalled: Reservation | undefined;
  #isOver = false;

  constructor(budgets: RoomBudgets, sessionId: string) {
    this.#budgets = budgets;
    this.#sessionId = sessionId;
  }

  /** The client takes nothing: what was read ahead waits. @throws ProxyError limit_exceeded */
  stall(): void {
    if (!this.#isOver)
      this.#stalled ??= this.#budgets.unread.reserve(this.#sessionId, defaultLimits.stalledResponseBytes);
  }

  /** It takes more. */
  flow(): void {
    this.#stalled?.release();
    this.#stalled = undefined;
  }

  /** For as long as the response lasts. @throws ProxyError limit_exceeded */
  keep(octets: number): void {
    if (!this.#isOver) this.#kept.push(this.#budgets.held.reserve(this.#sessionId, octets));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.flow();
    for (const kept of this.#kept.splice(0)) kept.release();
  }
}
