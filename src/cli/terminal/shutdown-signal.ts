// The signals that ask a long-running command to end.

const endSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export interface Shutdown extends Disposable {
  /** Aborted at the first signal; what is being set up can be given up. */
  readonly signal: AbortSignal;
  /** Resolves at the first signal. Waiting for it keeps the process alive. */
  readonly requested: Promise<void>;
}

/**
 * Listens from now on. A second signal ends the process at once, for who does not want to wait for the drain. SIGHUP says that a terminal is
 * gone; a command that has none can use it for something else.
 */
export function listenForShutdown({ hangUpEnds = true } = {}): Shutdown {
  const names = endSignals.filter((name) => hangUpEnds || name !== 'SIGHUP');
  const controller = new AbortController();
  const { promise: requested, resolve } = Promise.withResolvers<void>();
  // A signal listener alone does not keep the process alive.
  const keepAlive = setInterval(() => undefined, 0x7fff_ffff);
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    clearInterval(keepAlive);
    resolve();
  };
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    requested,
    [Symbol.dispose]: () => {
      clearInterval(keepAlive);
      for (const name of names) process.off(name, onSignal);
    },
  };
}

/**
 * Ignores them, and the one that asks for a reload: of a process whose end another one decides, which may get the same signal, as all of
 * a terminal or of a service do.
 */
export function ignoreSignals(): void {
  for (const name of [...endSignals, 'SIGUSR2'] as const) process.on(name, () => undefined);
}
