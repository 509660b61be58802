// Who held the gateway's one thread: all sessions share it, so work of one that does not yield is a stall of every other.

export interface LoopWatchOptions {
  /** A turn of one session that takes longer is told. */
  readonly stallMs: number;
  readonly onStall: (stall: LoopStall) => void;
  /** Monotonic, in milliseconds. */
  readonly nowMs?: () => number;
  /** Calls back when the work of this turn of the loop is over. */
  readonly afterTurn?: (callback: () => void) => void;
}

export interface LoopStall {
  readonly sessionId: string;
  readonly durationMs: number;
}

export class LoopWatch {
  readonly #options: LoopWatchOptions;
  readonly #nowMs: () => number;
  readonly #afterTurn: (callback: () => void) => void;
  #sessionId: string | undefined;
  #sinceMs = 0;
  #isScheduled = false;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#afterTurn = options.afterTurn ?? ((callback) => void setImmediate(callback));
  }

  /** What follows on the loop, until the next call or the end of its turn, is work for this session. Cheap: once for each read. */
  enter(sessionId: string): void {
    const nowMs = this.#nowMs();
    this.#close(nowMs);
    this.#sessionId = sessionId;
    this.#sinceMs = nowMs;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#afterTurn(() => {
      this.#isScheduled = false;
      this.#close(this.#nowMs());
    });
  }

  #close(nowMs: number): void {
    const sessionId = this.#sessionId;
    const durationMs = nowMs - this.#sinceMs;
    this.#sessionId = undefined;
    if (sessionId === undefined || durationMs < this.#options.stallMs) return;
    this.#options.onStall({ sessionId, durationMs: Math.round(durationMs) });
  }
}
