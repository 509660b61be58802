// The result of a start that came to nothing. Loaded by runtimes that are refused too, so it needs nothing of theirs.

import type { ProxyError } from '../protocol/error.ts';

/** No proxy: nothing is set, nothing listens, nothing has to be closed. Members of a proxy that is on are there, and empty. */
export interface DisabledProxy extends AsyncDisposable {
  readonly enabled: false;
  /** Why it is off, for a person. */
  readonly reason: string;
  /** The fault behind `reason`; absent if it is merely not configured. */
  readonly error?: ProxyError;
  /** Empty, so that nothing points to a dead relay. */
  readonly env: Readonly<Record<string, string>>;
  readonly port: 0;
  readonly displaced: readonly string[];
  readonly capturePorts: readonly number[];
  readonly posture?: undefined;
  readonly sessionId?: undefined;
  readonly caBundlePath?: undefined;
  readonly files?: undefined;
  readonly loopbackCapture?: undefined;
  readonly tokenErased?: undefined;
  /** The global `fetch`, as there is no proxy. */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Resolves with `error`. */
  readonly ended: Promise<ProxyError | undefined>;
  /** Nothing is known of it. */
  refusals(): Promise<undefined>;
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

export function disabledProxy(reason: string, error?: ProxyError): DisabledProxy {
  return {
    enabled: false,
    reason,
    ...(error === undefined ? {} : { error }),
    env: {},
    port: 0,
    displaced: [],
    capturePorts: [],
    fetch: (input, init) => fetch(input, init),
    ended: Promise.resolve(error),
    refusals: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
