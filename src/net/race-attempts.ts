// Happy Eyeballs (RFC 8305 §5) over addresses that are already chosen: the first connection wins, the others end.

import type { Socket } from 'node:net';
import { isAddressLiteral } from '../http/authority.ts';

export interface RaceOptions {
  /** Begins to connect; the race owns the socket from then on. */
  readonly connect: (address: string) => Socket;
  /** Head start of an address before the next one is tried too; a failed one is followed at once. */
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export type RaceOutcome =
  | { readonly kind: 'connected'; readonly socket: Socket; readonly address: string }
  | RaceFailure;

export type RaceFailure =
  | { readonly kind: 'failed'; readonly errors: readonly Error[] }
  | { readonly kind: 'timeout'; readonly errors: readonly Error[] }
  | { readonly kind: 'cancelled'; readonly errors: readonly Error[] };

/** IPv6 and IPv4 in turn, each in the given order (RFC 8305 §4). */
export function interleaveFamilies(addresses: readonly string[]): readonly string[] {
  const families = [6, 4].map((family) =>
    addresses.filter((address) => isAddressLiteral(address) === family),
  );
  const [six = [], four = []] = families;
  return Array.from({ length: Math.max(six.length, four.length) }, (_, i) => [six[i], four[i]])
    .flat()
    .filter((address) => address !== undefined);
}

/** Tries the addresses in order until one connects, all fail, the time is over or the signal fires. Never throws. */
export function raceAttempts(addresses: readonly string[], options: RaceOptions): Promise<RaceOutcome> {
  return new Race(addresses, options).outcome;
}

class Race {
  readonly outcome: Promise<RaceOutcome>;
  readonly #resolve: (outcome: RaceOutcome) => void;
  readonly #waiting: string[];
  readonly #options: RaceOptions;
  readonly #open = new Set<Socket>();
  readonly #errors: Error[] = [];
  readonly #deadline: NodeJS.Timeout;
  #nextAttempt: NodeJS.Timeout | undefined;
  #over = false;

  constructor(addresses: readonly string[], options: RaceOptions) {
    const { promise, resolve } = Promise.withResolvers<RaceOutcome>();
    this.outcome = promise;
    this.#resolve = resolve;
    this.#waiting = [...addresses];
    this.#options = options;
    this.#deadline = setTimeout(() => {
      this.#end({ kind: 'timeout', errors: this.#errors });
    }, options.timeoutMs);
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal?.aborted === true) this.#onAbort();
    else this.#attempt();
  }

  readonly #onAbort = (): void => {
    this.#end({ kind: 'cancelled', errors: this.#errors });
  };

  #attempt(): void {
    clearTimeout(this.#nextAttempt);
    if (this.#over) return;
    const address = this.#waiting.shift();
    if (address === undefined) {
      if (this.#open.size === 0) this.#end({ kind: 'failed', errors: this.#errors });
      return;
    }
    const socket = this.#options.connect(address);
    this.#open.add(socket);
    const onError = (error: Error): void => {
      socket.off('connect', onConnect);
      // A second error of a dead socket must not be an uncaught one.
      socket.on('error', () => undefined);
      this.#open.delete(socket);
      this.#errors.push(error);
      this.#attempt();
    };
    const onConnect = (): void => {
      socket.off('error', onError);
      this.#open.delete(socket);
      this.#end({ kind: 'connected', socket, address });
    };
    socket.once('connect', onConnect).once('error', onError);
    this.#nextAttempt = setTimeout(() => {
      this.#attempt();
    }, this.#options.delayMs);
  }

  #end(outcome: RaceOutcome): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#nextAttempt);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    for (const socket of this.#open) {
      socket.removeAllListeners('connect');
      socket.on('error', () => undefined);
      socket.destroy();
    }
    this.#open.clear();
    this.#resolve(outcome);
  }
}
