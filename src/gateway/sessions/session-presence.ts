// Tells the store which sessions have tunnels here, so that other processes can show it.

import { randomUUID } from 'node:crypto';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { PresenceStore } from '../../store/store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

/** Often, so that a new session is soon seen; what did not change is written more rarely. */
const lookIntervalMs = 500;
const refreshIntervalMs = 5000;

export interface SessionPresenceOptions {
  readonly store: PresenceStore;
  /** How many tunnels each session has; sessions without any are left out. */
  readonly tunnels: () => ReadonlyMap<string, number>;
  readonly policyVersion: () => string;
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
}

/** Writes at an interval until it is closed, and then that nothing is here any more. */
export class SessionPresenceWriter implements AsyncDisposable {
  readonly #options: SessionPresenceOptions;
  readonly #gatewayId = randomUUID();
  #written: ReadonlyMap<string, number> = new Map();
  #writtenMs = 0;
  #closed: Promise<void> | undefined;
  readonly #repeated: RepeatedLook;

  constructor(options: SessionPresenceOptions) {
    this.#options = options;
    const { onFault } = options;
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: lookIntervalMs, onFault });
    this.#repeated.start();
  }

  /** Writes if tunnels came or went, or the last time is long ago. Faults of the store go to `onFault`. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#leave());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(): Promise<void> {
    const tunnels = this.#options.tunnels();
    const isOld = this.#options.clock() - this.#writtenMs >= refreshIntervalMs;
    if (isOld || !sameCounts(tunnels, this.#written)) await this.#note(tunnels);
  }

  async #leave(): Promise<void> {
    await this.#repeated.close();
    await this.#note(new Map()).catch((error: unknown) => {
      this.#options.onFault(asProxyError(error));
    });
  }

  async #note(tunnels: ReadonlyMap<string, number>): Promise<void> {
    const { store, policyVersion, clock } = this.#options;
    // Those that had tunnels the last time are told once more, with none.
    const sessions = new Set([...this.#written.keys(), ...tunnels.keys()]);
    const seenMs = clock();
    const version = policyVersion();
    await store.note(
      [...sessions].map((sessionId) => ({
        sessionId,
        gatewayId: this.#gatewayId,
        tunnels: tunnels.get(sessionId) ?? 0,
        seenMs,
        policyVersion: version,
      })),
    );
    this.#written = tunnels;
    this.#writtenMs = seenMs;
  }
}

function sameCounts(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([sessionId, count]) => b.get(sessionId) === count);
}
