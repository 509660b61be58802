// What `run` still does once its command has ended, in one time for all of it: who waits for `run` waits for the command.

import { defaultLimits } from '../../protocol/limits.ts';

/** How long streams of the command's children may go on. */
const drainMs = 1_000;
/** What is left to the steps behind, where one takes all that it may: the tunnel's close, the gateway's end, the summary. */
const kept = { close: 500, gateway: 400, summary: 100 } as const;

/** The steps, in their order; each gets the time that it may take, and comes back within it. */
export interface EndingSteps {
  /** What the gateway tells while there is a tunnel. */
  readonly ask: () => Promise<string>;
  readonly closeProxy: (options: { readonly drainMs: number; readonly withinMs: number }) => Promise<void>;
  /** Of a gateway of its own. */
  readonly closeGateway: ((withinMs: number) => Promise<void>) | undefined;
  /** Gives back what else was opened. */
  readonly giveBack: () => Promise<void>;
}

export class RunEnding {
  readonly #nowMs: () => number;
  #endMs: number | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** The command has ended. What it left behind is ended first, and that counts. */
  readonly begin = (): void => {
    this.#endMs ??= this.#nowMs() + defaultLimits.runEndTimeoutMs;
  };

  /** Without what others need; never below zero. */
  leftMs(without = 0): number {
    this.begin();
    return Math.max(0, (this.#endMs ?? 0) - this.#nowMs() - without);
  }

  /** Returns what was told. */
  async end({ ask, closeProxy, closeGateway, giveBack }: EndingSteps): Promise<string> {
    const forGateway = closeGateway === undefined ? kept.summary : kept.gateway;
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve(''), this.leftMs(kept.close + forGateway));
    const told = await Promise.race([ask(), late.promise]);
    clearTimeout(timer);
    await closeProxy({
      drainMs: Math.min(drainMs, this.leftMs(kept.close + forGateway)),
      withinMs: this.leftMs(forGateway),
    });
    await closeGateway?.(this.leftMs(kept.summary));
    await giveBack();
    return told;
  }
}
