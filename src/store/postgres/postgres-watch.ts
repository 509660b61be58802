// A connection of its own that notices what others changed: it is woken by NOTIFY, and looks at the counter of changes each second,
// for a word can be lost and a connection can be dead without telling.

import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ChangeListener } from '../store.ts';
import { changeChannel } from './postgres-schema.ts';

const reconnectDelayMsInitial = 100;

/** Statements on the connection; they throw what the client throws. */
export type WatchRun = (text: string, values?: readonly (string | number)[]) => Promise<unknown[]>;

export interface PostgresWatchOptions {
  readonly config: ClientConfig;
  /** At each new connection, and with each look; what it throws ends the connection, and another is made. */
  readonly onLook: (run: WatchRun) => Promise<void>;
}

/** Nothing is connected before `start`. */
export class PostgresWatch {
  readonly #options: PostgresWatchOptions;
  readonly #listeners = new Set<ChangeListener>();
  readonly #stop = new AbortController();
  /** Ends the wait for the next look. */
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #counter: unknown;
  #hasConnected = false;

  constructor(options: PostgresWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Without waiting for the next second. */
  lookNow(): void {
    this.#wake.abort();
  }

  /** Gives the function that takes the listener away again. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    this.start();
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let delayMs = reconnectDelayMsInitial;
    while (!this.#stop.signal.aborted) {
      const isSound = await this.#connected();
      delayMs = isSound
        ? reconnectDelayMsInitial
        : Math.min(delayMs * 2, defaultLimits.storeReconnectDelayMsMax);
      await wait(delayMs * (0.5 + Math.random()), undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** Until the connection ends. Whether it was of any use. */
  async #connected(): Promise<boolean> {
    // What was missed meanwhile is not known, and a standby that took over may count from an earlier number on.
    this.#counter = undefined;
    const socket = new Socket();
    const client = new Client({ ...this.#options.config, stream: () => socket });
    let looks = 0;
    // What ends it is seen by the next look.
    client.on('error', () => this.#wake.abort());
    client.on('notification', () => this.#wake.abort());
    const run: WatchRun = async (text, values = []) => (await client.query(text, [...values])).rows;
    try {
      await client.connect();
      await run(`LISTEN ${changeChannel}`);
      while (!this.#stop.signal.aborted) {
        this.#wake = new AbortController();
        await this.#look(run);
        looks += 1;
        await wait(defaultLimits.storeLookIntervalMs, undefined, {
          signal: AbortSignal.any([this.#wake.signal, this.#stop.signal]),
        }).catch(() => {});
      }
    } catch {
      // Whoever asks the store hears of it; here the next connection tries again.
    } finally {
      // The client waits for the server's end of the connection without a bound.
      const timer = setTimeout(() => socket.destroy(), defaultLimits.storeLookIntervalMs);
      await client.end().catch(() => {});
      clearTimeout(timer);
    }
    return looks > 0;
  }

  async #look(run: WatchRun): Promise<void> {
    await this.#options.onLook(run);
    const [row] = await run('SELECT value FROM change_counter');
    const counter = typeof row === 'object' && row !== null && 'value' in row ? row.value : undefined;
    if (counter === this.#counter) return;
    // Of another server, perhaps, whose numbers may stand for other changes.
    const isUncertain = this.#counter === undefined && this.#hasConnected;
    this.#hasConnected = true;
    this.#counter = counter;
    for (const listener of this.#listeners) listener(isUncertain);
  }
}
