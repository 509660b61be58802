// Tells other gateways which sessions ended, as soon as it is known here: one of them may have lost the store alone.

import type { Socket } from 'node:net';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { GatewayStore } from '../../store/gateway-store.ts';
import type { SessionWatch } from '../sessions/session-watch.ts';
import { askedSchema, linesOf, readChangeLine, sendLine, takenSchema, toldLine } from './change-lines.ts';

const heartbeatMs = 1000;

export interface ChangeFeedsOptions {
  readonly watch: Pick<SessionWatch, 'ended' | 'onEnded'>;
  readonly store: Pick<GatewayStore, 'vouch'>;
  /** Of which history of the store the numbers here are. */
  readonly history: () => string | undefined;
  /** Up to which change everything is taken here. */
  readonly taken?: () => number;
  /** Which version of the identity in the store is had here. */
  readonly identity?: () => number | undefined;
  /** Where one that follows is reached. */
  readonly onAddress?: (incarnation: string, address: string) => void;
  readonly onFault: (error: ProxyError) => void;
}

export class ChangeFeeds {
  readonly #options: ChangeFeedsOptions;
  #count = 0;
  /** Each wakes one that is told. */
  readonly #wakes = new Set<() => void>();

  constructor(options: ChangeFeedsOptions) {
    this.#options = options;
  }

  /** More is taken here. */
  changed(): void {
    for (const wake of this.#wakes) wake();
  }

  /** Until the connection ends. Who it is has been verified. */
  async serve(socket: Socket, incarnation: string): Promise<void> {
    if (this.#count >= defaultLimits.peerFeedsServedMax) return void socket.destroy();
    this.#count += 1;
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    try {
      const lines = linesOf(socket);
      const first = await lines.next();
      if (first.done === true) return;
      const asked = readChangeLine(askedSchema, first.value);
      if (asked.at !== undefined) this.#options.onAddress?.(incarnation, asked.at);
      // A number of another history says nothing of what was read: all is told.
      const above = this.#isOurs(asked.history) ? asked.above : 0;
      await Promise.all([this.#tell(socket, above, gone.signal), this.#hear(lines, incarnation)]);
    } catch (error) {
      // That a gateway went away is seen by what it says in the store.
      if (!gone.signal.aborted) this.#options.onFault(asProxyError(error));
    } finally {
      socket.destroy();
      this.#count -= 1;
    }
  }

  #isOurs(history: string | undefined): boolean {
    return history !== undefined && history === this.#options.history();
  }

  async #tell(socket: Socket, above: number, gone: AbortSignal): Promise<void> {
    const { watch, history } = this.#options;
    const { ended } = watch;
    let news = Promise.withResolvers<undefined>();
    const wake = (): void => news.resolve(undefined);
    const unlisten = watch.onEnded(wake);
    this.#wakes.add(wake);
    gone.addEventListener('abort', wake);
    try {
      let heard: number | undefined;
      while (!gone.aborted) {
        news = Promise.withResolvers();
        // Before the endings are looked at: those up to that number are among them.
        const [taken, takenOf] = [this.#options.taken?.(), history()];
        const timer = setTimeout(wake, heartbeatMs);
        const recent = heard === undefined ? undefined : ended.heardBehind(heard);
        const ofRecent = history();
        heard = ended.heard;
        // From the beginning, and where so many ended that it is not known which were told: twice is harmless.
        for (const page of recent === undefined ? ended.pagesAbove(above) : pagesOf(recent))
          await sendLine(socket, toldLine(page, recent === undefined ? history() : ofRecent));
        await sendLine(socket, toldLine([], takenOf, { taken, identity: this.#options.identity?.() }));
        await news.promise;
        clearTimeout(timer);
      }
    } finally {
      unlisten();
      this.#wakes.delete(wake);
    }
  }

  async #hear(lines: AsyncGenerator<string>, incarnation: string): Promise<void> {
    const { store, onFault } = this.#options;
    for await (const line of lines) {
      const { taken, history } = readChangeLine(takenSchema, line);
      if (taken === undefined || !this.#isOurs(history)) continue;
      await store
        .vouch({ incarnation, changeSeen: taken }, defaultLimits.gatewayLeaseMs)
        .catch((error: unknown) => onFault(asProxyError(error)));
    }
  }
}

const endingsOfPage = 256;

function pagesOf<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / endingsOfPage) }, (_, i) =>
    list.slice(i * endingsOfPage, (i + 1) * endingsOfPage),
  );
}
