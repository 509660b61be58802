// Who waits until the store has taken more of the audit: a store that stalls for a moment, or a thread that the system lets run too seldom,
// slows requests down before any is refused.

interface Waiter {
  readonly sessionId: string;
  readonly resolve: () => void;
  readonly timer: NodeJS.Timeout;
}

export class RoomWaiters {
  readonly #waiters = new Set<Waiter>();
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when `look` finds room for the session, or at the latest after the time, whatever is there then. */
  wait(sessionId: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      sessionId,
      resolve,
      timer: setTimeout(() => this.#release(waiter), this.#timeoutMs),
    };
    this.#waiters.add(waiter);
    return promise;
  }

  /** Lets those go on whose session has room. */
  look(hasRoom: (sessionId: string) => boolean): void {
    for (const waiter of this.#waiters) if (hasRoom(waiter.sessionId)) this.#release(waiter);
  }

  #release(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    waiter.resolve();
  }
}
