// One line on standard error that says how far something is, while it takes long: at a terminal alone, written over again, and gone at the end.

import type { CommonValues } from '../definition/command-definition.ts';
import { terminalStream } from './terminal-stream.ts';
import { harmlessText } from './text-table.ts';

/** What is done sooner needs no word. */
const firstMs = 500;
const everyMs = 200;
const erased = '\r\u001b[K';

interface ProgressNeeds {
  readonly stream: {
    readonly isTTY?: boolean | undefined;
    readonly columns?: number | undefined;
    write(text: string): unknown;
  };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
}

const ownNeeds = (): ProgressNeeds => ({
  stream: process.stderr,
  environment: process.env,
  clock: () => performance.now(),
});

/**
 * Shows `text` while `action` runs, and gives what that gives. `step` costs next to nothing: it can be called for every piece of work, and has to be
 * where no timer gets its turn. What `action` would print itself comes on top of the line, so it prints nothing.
 */
export async function withProgress<T>(
  { quiet }: Pick<CommonValues, 'quiet'>,
  text: () => string,
  action: (step: () => void) => Promise<T>,
  needs: ProgressNeeds = ownNeeds(),
): Promise<T> {
  if (quiet || !terminalStream(needs.stream, needs.environment).hasProgress)
    return await action(() => undefined);
  using line = new ProgressLine(text, needs);
  return await action(() => line.step());
}

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

class ProgressLine implements Disposable {
  readonly #text: () => string;
  readonly #needs: ProgressNeeds;
  readonly #timer = setInterval(() => this.step(), everyMs);
  #dueMs: number;
  #isShown = false;

  constructor(text: () => string, needs: ProgressNeeds) {
    this.#text = text;
    this.#needs = needs;
    this.#dueMs = needs.clock() + firstMs;
    // What it tells of keeps the process alive, or nothing does.
    this.#timer.unref();
    for (const signal of endSignals) process.on(signal, this.#onSignal);
  }

  step(): void {
    const nowMs = this.#needs.clock();
    if (nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + everyMs;
    this.#isShown = true;
    const { stream } = this.#needs;
    // A line that is longer than the terminal would stay there in part.
    const room = (stream.columns ?? 80) - 1;
    const signs = [...harmlessText(this.#text())];
    stream.write(erased + (signs.length > room ? `${signs.slice(0, room - 1).join('')}…` : signs.join('')));
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this[Symbol.dispose]();
    // Whoever else listens decides what becomes of it.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const signal of endSignals) process.off(signal, this.#onSignal);
    this.#dueMs = Infinity;
    if (this.#isShown) this.#needs.stream.write(erased);
    this.#isShown = false;
  }
}
