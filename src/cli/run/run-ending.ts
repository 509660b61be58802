// What `run` still does once its command has ended, in one time for all of it: who waits for `run` waits for the command.

import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** How long streams of the command's children may go on. */
const drainMs = 1_000;
/**
 * What is left to the steps behind, where one takes all that it may: the tunnel's close, the gateway's end, the summary. The gateway has
 * its part however late it is: what it has not written then is in no audit, for no later process reads what it left.
 */
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
  /** What the audit of a gateway of its own says. */
  readonly summary: ((withinMs: number) => Promise<string>) | undefined;
}

/** The line for the person who waits, where the list of refusals cannot be had. */
export function unknownRefusals(reason: string): string {
  return `upstreamproxy: what was refused in this run is not known here: ${reason}\n`;
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
  async end({ ask, closeProxy, closeGateway, giveBack, summary }: EndingSteps): Promise<string> {
    const behind = kept.summary + (closeGateway === undefined ? 0 : kept.gateway);
    const late = Promise.withResolvers<string>();
    const lateTold = (): void => late.resolve(unknownRefusals('the gateway did not tell it in time'));
    const timer = setTimeout(lateTold, this.leftMs(kept.close + behind));
    const told = await Promise.race([ask(), late.promise]);
    clearTimeout(timer);
    await closeProxy({
      drainMs: Math.min(drainMs, this.leftMs(kept.close + behind)),
      withinMs: this.leftMs(behind),
    });
    await closeGateway?.(Math.max(kept.gateway, this.leftMs(kept.summary)));
    await giveBack();
    if (summary === undefined) return told;
    try {
      return told + (await summary(Math.max(kept.summary, this.leftMs())));
    } catch (error) {
      // The exit code is the command's: it may even have taken away what was to be loaded for this.
      return told + unknownRefusals(asProxyError(error).message);
    }
  }
}
