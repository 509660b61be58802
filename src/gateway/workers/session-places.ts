// Which worker has which session: the first at which one of its tunnels came in, until the session or the worker ends. All that counts
// for a session is counted there, so its limits hold however its tunnels come in.

export class SessionPlaces {
  readonly #places = new Map<string, number>();

  get size(): number {
    return this.#places.size;
  }

  /** The worker that has the session: the one that asks, if nobody has it. */
  place(sessionId: string, asking: number): number {
    const found = this.#places.get(sessionId);
    if (found !== undefined) return found;
    this.#places.set(sessionId, asking);
    return asking;
  }

  /** The session ended, as the worker that has it says. */
  end(sessionId: string, worker: number): void {
    if (this.#places.get(sessionId) === worker) this.#places.delete(sessionId);
  }

  /** The worker is gone, and with it all that it counted. */
  leave(worker: number): void {
    for (const [sessionId, at] of this.#places) if (at === worker) this.#places.delete(sessionId);
  }
}
