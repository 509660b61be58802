// The audit event: exactly one for each exchange, and one for each event in the life of a session.

/** One exchange, stream or session event. Field names are fixed; no value of a secret can be in it. */
export interface AuditEvent {
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly kind: 'exchange' | 'stream' | 'session' | 'alarm';
  /** For kinds `session` and `alarm`: enrolled, committed, renewed, revoked, ended, token_reused … */
  readonly action?: string;
  readonly traceId: string;
  readonly sessionId?: string;
  readonly principal?: string;
  /** `unknown`: the gateway ended first, and this is what was known by then. */
  readonly verdict: 'allow' | 'deny' | 'error' | 'info' | 'unknown';
  /** Where the verdict is `unknown`: what the policy had said, if it was asked by then. */
  readonly decided?: 'allow' | 'deny';
  readonly rule?: string;
  readonly policyVersion?: string;
  /** Set where observe mode let through what would have been denied. */
  readonly observed?: string;
  readonly method?: string;
  readonly scheme?: string;
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly protocol?: string;
  readonly upstreamProtocol?: string;
  /** Names that disagreed, for authority_mismatch. */
  readonly claimed?: Readonly<Record<string, string>>;
  readonly address?: string;
  /** The names that the host led to (CNAME), in order; the address is the last one's. */
  readonly aliases?: readonly string[];
  readonly status?: number;
  readonly errorCode?: string;
  /** The limit that was reached, by its name in docs/reference/limits.md. */
  readonly limit?: string;
  readonly message?: string;
  /** Names of the credentials that were put on the request. */
  readonly injected?: readonly string[];
  /** Names of those that its rule has, where they are not the same. */
  readonly offered?: readonly string[];
  /** Of a request by git; a push has its refs once they are read. */
  readonly git?: GitFacts;
  readonly requestBytes?: number;
  readonly responseBytes?: number;
  readonly durationMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What a request by git is about. */
export interface GitFacts {
  readonly repository: string;
  readonly operation: 'fetch' | 'push';
  /** The first of the refs that a push changes. */
  readonly refs?: readonly {
    readonly ref: string;
    readonly change: 'create' | 'update' | 'delete';
  }[];
  /** How many there are, where that is more. */
  readonly refsTotal?: number;
}
