// When an end says how much it has: soon enough that its peer does not have to keep much, seldom enough that it costs nothing.

/** With so many octets it is said at once. */
const ackBytes = 256 * 1024;
/** With fewer after this time. */
const ackDelayMs = 25;

/** Clockless: told the time. */
export class AckSchedule {
  #received = 0;
  #said = 0;
  #dueMs: number | undefined;

  /** When `take` has something to say. */
  get dueMs(): number | undefined {
    return this.#dueMs;
  }

  /** So many octets came since the tunnel began. */
  received(count: number, nowMs: number): void {
    this.#received = count;
    if (count - this.#said >= ackBytes) this.#dueMs = nowMs;
    else if (count > this.#said) this.#dueMs ??= nowMs + ackDelayMs;
  }

  /** The peer was told by other means. */
  acknowledged(count: number): void {
    this.#received = this.#said = count;
    this.#dueMs = undefined;
  }

  /** The count to say now. */
  take(nowMs: number): number | undefined {
    if (this.#dueMs === undefined || nowMs < this.#dueMs) return undefined;
    this.acknowledged(this.#received);
    return this.#received;
  }
}
