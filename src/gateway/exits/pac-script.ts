// A PAC script, asked on a few threads. Whoever asks has one at a time; and those whose questions take long, as for want of names that they
// own, share one, so that the others never wait for them twice.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { interpreterCode, over, PacLane, type PacLaneOptions } from './pac-lane.ts';
import type { Asked, PacReading } from './pac-messages.ts';

export type PacScriptOptions = Omit<PacLaneOptions, 'code'>;

interface Waiting {
  readonly asked: Asked;
  readonly settle: (reading: PacReading) => void;
  /** That its turn does not come in time. */
  readonly timer: NodeJS.Timeout;
}

interface Place {
  readonly lane: PacLane;
  /** For those who were slow, and for nobody else. */
  readonly isForSlow: boolean;
  isBusy: boolean;
}

export class PacScript implements Disposable {
  readonly #options: PacScriptOptions;
  /** By owner, in the order of their turns; none is empty. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #places: readonly Place[];
  /** Those whose question is being asked. */
  readonly #asking = new Set<string>();
  /** Those that were slow, until when they count as such; the one that was so longest ago first. */
  readonly #slow = new Map<string, number>();
  #isClosed = false;

  constructor(options: PacScriptOptions) {
    this.#options = options;
    const code = sharedCode();
    this.#places = Array.from({ length: defaultLimits.pacThreadsMax }, (_, i) => ({
      lane: new PacLane({ ...options, code }),
      isForSlow: i === 0,
      isBusy: false,
    }));
  }

  /**
   * What the script says of the host; what it cannot say is a reading too. A dial that is given up leaves its question here, so questions have
   * bounds of their own. @throws ProxyError limit_exceeded, timeout
   */
  async find(principalId: string, asked: Asked): Promise<PacReading> {
    if (this.#isClosed) return over;
    const { dialsPendingMax, connectTimeoutMs } = this.#options.limits;
    const { promise, resolve, reject } = Promise.withResolvers<PacReading>();
    const queue = this.#waiting.get(principalId) ?? [];
    if (queue.length >= dialsPendingMax)
      throw new ProxyError(
        'limit_exceeded',
        `More than ${dialsPendingMax} connections wait for the proxy script (dialsPendingMax).`,
        { limit: 'dialsPendingMax' },
      );
    const timer = setTimeout(() => {
      this.#forget(principalId, waiting);
      const message = `The proxy script has no time for ${asked.host} within ${connectTimeoutMs} ms (connectTimeoutMs).`;
      reject(new ProxyError('timeout', message, { limit: 'connectTimeoutMs' }));
    }, connectTimeoutMs);
    const waiting: Waiting = { asked, settle: resolve, timer };
    queue.push(waiting);
    this.#waiting.set(principalId, queue);
    this.#work();
    return await promise;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { settle, timer } of [...this.#waiting.values()].flat()) {
      clearTimeout(timer);
      settle(over);
    }
    this.#waiting.clear();
    for (const { lane } of this.#places) lane[Symbol.dispose]();
  }

  #work(): void {
    for (const place of this.#places) {
      if (place.isBusy) continue;
      const next = this.#next(place.isForSlow);
      if (next !== undefined) void this.#serve(place, next);
    }
  }

  /** Never rejects. */
  async #serve(place: Place, { principalId, waiting }: Next): Promise<void> {
    place.isBusy = true;
    this.#asking.add(principalId);
    const { reading, spentMs } = await place.lane.ask(principalId, waiting.asked);
    // What fails costs a thread, which takes its time to begin again.
    if (reading.kind === 'failed' || spentMs >= this.#options.limits.pacSlowMs) this.#wasSlow(principalId);
    waiting.settle(reading);
    this.#asking.delete(principalId);
    place.isBusy = false;
    this.#work();
  }

  /** Of the owner that waits longest for its turn, of those that may have a turn there. */
  #next(isForSlow: boolean): Next | undefined {
    for (const [principalId, queue] of this.#waiting) {
      if (this.#asking.has(principalId) || this.#isSlow(principalId) !== isForSlow) continue;
      const waiting = queue.shift();
      clearTimeout(waiting?.timer);
      this.#waiting.delete(principalId);
      if (queue.length > 0) this.#waiting.set(principalId, queue);
      return waiting === undefined ? undefined : { principalId, waiting };
    }
    return undefined;
  }

  #isSlow(principalId: string): boolean {
    const untilMs = this.#slow.get(principalId);
    if (untilMs === undefined || performance.now() < untilMs) return untilMs !== undefined;
    this.#slow.delete(principalId);
    return false;
  }

  #wasSlow(principalId: string): void {
    this.#slow.delete(principalId);
    this.#slow.set(principalId, performance.now() + defaultLimits.pacSlowAgeMs);
    const [oldest] = this.#slow.keys();
    if (this.#slow.size > defaultLimits.pacSlowOwnersMax && oldest !== undefined) this.#slow.delete(oldest);
  }

  #forget(principalId: string, waiting: Waiting): void {
    const rest = this.#waiting.get(principalId)?.filter((one) => one !== waiting) ?? [];
    // In place: the order of owners is that of their turns.
    if (rest.length > 0) this.#waiting.set(principalId, rest);
    else this.#waiting.delete(principalId);
  }
}

/** Compiled once for all threads; where that failed, the next question tries again. */
function sharedCode(): () => Promise<WebAssembly.Module> {
  let code: Promise<WebAssembly.Module> | undefined;
  return () => {
    const begun = (code ??= interpreterCode());
    begun.catch(() => {
      if (code === begun) code = undefined;
    });
    return begun;
  };
}

interface Next {
  readonly principalId: string;
  readonly waiting: Waiting;
}
