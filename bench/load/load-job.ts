// What the load generator is asked and what it says: one line of JSON each, jobs one after the other.

/** Where the load goes. */
export interface LoadTarget {
  /** Port of a CONNECT proxy on loopback, or several by turns; undefined goes to the origin directly. */
  readonly proxyPort?: number | readonly number[];
  readonly originPort: number;
  readonly host: string;
  /** What CONNECT names instead of the host, for proxies that could not resolve it. */
  readonly connectHost?: string;
  readonly caPem: string;
  /**
   * `tunnel`, the default, is CONNECT and TLS; `plain` an absolute-form request to the proxy, for those that end no TLS; `line` is TLS to
   * the proxy's port at once, for what looks at no octet.
   */
  readonly via?: 'tunnel' | 'plain' | 'line';
}

export type LoadJob =
  | {
      /** One request after the other on each of `connections`, for `ms`. */
      readonly kind: 'requests';
      readonly to: LoadTarget;
      readonly connections: number;
      readonly ms: number;
      /** Bytes of a body; with none it is a GET. */
      readonly bodyBytes?: number;
    }
  | {
      /** New connections, one request on each, by so many at a time, for `ms` or until there were `count`. */
      readonly kind: 'connections';
      readonly to: LoadTarget;
      readonly workers: number;
      readonly ms: number;
      readonly count?: number;
    }
  | { readonly kind: 'download' | 'upload'; readonly to: LoadTarget; readonly bytes: number }
  | {
      /** Opens so many connections more, makes a request on each, and keeps them. */
      readonly kind: 'hold';
      readonly to: LoadTarget;
      readonly count: number;
    }
  /** Ends what `hold` kept. */
  | { readonly kind: 'release' };

export interface LoadResult {
  /** Requests, connections, or bytes. */
  readonly count: number;
  readonly seconds: number;
  /** Microseconds of a request or connection; NaN (null in JSON) where there is none. */
  readonly p50: number;
  readonly p99: number;
  readonly least: number;
}

export type LoadMessage =
  | { readonly ready: true; readonly runtime: string }
  /** How much was done so far, four times a second. */
  | { readonly tick: number }
  | { readonly result: LoadResult }
  | { readonly error: string };
