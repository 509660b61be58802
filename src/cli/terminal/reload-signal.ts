// The signals that ask a long-running command to read its files again.

export interface Reloads extends Disposable {
  /** From now on each signal is heeded; one that came before too. */
  heed(reload: () => Promise<void>): void;
}

/** Listens from now on. What is asked for while a reload runs is one more behind it, however often. */
export function listenForReload(signals: readonly NodeJS.Signals[]): Reloads {
  let act: (() => Promise<void>) | undefined;
  let [isWanted, isRunning] = [false, false];
  const run = async (): Promise<void> => {
    if (act === undefined || isRunning) return;
    isRunning = true;
    try {
      while (isWanted) {
        isWanted = false;
        await act();
      }
    } finally {
      isRunning = false;
    }
  };
  const onSignal = (): void => {
    isWanted = true;
    void run();
  };
  for (const name of signals) process.on(name, onSignal);
  return {
    heed: (reload) => {
      act = reload;
      void run();
    },
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
