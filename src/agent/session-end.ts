// How a session that runs comes to its end: in order, and in the time that whoever asks for it has.

import type { Logger } from '../system/logger.ts';
import type { Capture } from './capture/capture.ts';
import type { Relay } from './relay/relay.ts';
import { timerMsMax } from './uplink/delay.ts';
import { endAtGateway } from './session-steps.ts';
import type { TrustFiles } from './trust/trust-files.ts';
import type { AgentSession } from './uplink/enrol.ts';
import type { CloseOptions, TunnelClient } from './uplink/tunnel-client.ts';

/** Of the time for all of it this is left to taking leave, or half where there is less than twice as much. */
const leaveMs = 500;

export interface SessionEndParts {
  readonly session: AgentSession;
  readonly client: TunnelClient;
  readonly relay: Relay;
  readonly capture: Capture | undefined;
  readonly trust: TrustFiles;
  /** What goes on for as long as the session lives. */
  readonly life: AbortController;
  /** All that the session opened, but for its end at the gateway. */
  readonly stack: AsyncDisposable;
  readonly logger: Logger;
}

export class SessionEnd {
  readonly #parts: SessionEndParts;
  readonly #hurried = Promise.withResolvers<void>();
  readonly #late = new AbortController();
  #ending: Promise<void> | undefined;

  constructor(parts: SessionEndParts) {
    this.#parts = parts;
  }

  /** One end for all who ask for it, as early as the one who is most in a hurry wants it. */
  async close({ drainMs = 0, withinMs = Infinity }: CloseOptions = {}): Promise<void> {
    const untilLeaveMs = withinMs - Math.min(leaveMs, withinMs / 2);
    const timers =
      withinMs > timerMsMax
        ? []
        : [
            setTimeout(() => this.#hurried.resolve(), untilLeaveMs),
            setTimeout(() => this.#late.abort(), withinMs),
          ];
    const drained = this.#drain(Math.min(drainMs, timerMsMax, untilLeaveMs));
    this.#ending ??= this.#end(drained);
    try {
      await Promise.all([this.#ending, drained]);
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  /** A later call may shorten what an earlier one began. */
  async #drain(drainMs: number): Promise<void> {
    const { relay, capture } = this.#parts;
    await Promise.all([relay.close({ drainMs }), capture?.close({ drainMs })]);
  }

  async #end(drained: Promise<void>): Promise<void> {
    // The tunnel must outlive the connections that still drain.
    await drained;
    const { trust, stack } = this.#parts;
    await Promise.all([trust[Symbol.asyncDispose](), this.#takeLeave()]);
    await stack[Symbol.asyncDispose]();
  }

  /**
   * The tunnel takes leave first, so that what its streams carried is at the gateway before the session ends there. A gateway that does not
   * take it is told of the end beside that, while there is time.
   */
  async #takeLeave(): Promise<void> {
    const { session, client, life, logger } = this.#parts;
    const { signal: late } = this.#late;
    const left = client.close();
    // Not before: a renewal that is cut short would end the tunnel with a fault.
    life.abort();
    const cutOff = (): void => void client.close({ withinMs: 0 });
    late.addEventListener('abort', cutOff, { once: true });
    if (late.aborted) cutOff();
    await Promise.race([left, this.#hurried.promise]);
    await endAtGateway(session, logger, late);
    // Where the session has ended, its tunnel has.
    cutOff();
    await left;
    late.removeEventListener('abort', cutOff);
  }
}
