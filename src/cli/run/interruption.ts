// Signals that are for `run` itself: while its session opens, and while it is taken down. In between they are the command's.

import { constants } from 'node:os';

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndSignal = (typeof endSignals)[number];

export interface Interruption extends Disposable {
  /** Aborted at the first signal: what is being opened is given up, and taken away in order. */
  readonly signal: AbortSignal;
  /** The first signal, if there was one. */
  readonly by: EndSignal | undefined;
  /** Runs what takes the signals itself, from its first step to its end. */
  leaveTo<T>(work: () => Promise<T>): Promise<T>;
}

/** Listens from now on. A second signal ends the process at once, for who does not want to wait. */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let by: EndSignal | undefined;
  const onSignal = (name: EndSignal): void => {
    if (by !== undefined) process.exit(128 + constants.signals[name]);
    by = name;
    controller.abort();
  };
  const listen = (): void => {
    for (const name of endSignals) process.on(name, onSignal);
  };
  const forget = (): void => {
    for (const name of endSignals) process.off(name, onSignal);
  };
  listen();
  return {
    signal: controller.signal,
    get by() {
      return by;
    },
    async leaveTo(work) {
      forget();
      try {
        return await work();
      } finally {
        listen();
      }
    },
    [Symbol.dispose]: forget,
  };
}
