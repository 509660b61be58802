// What a session was refused, as its gateway tells its agent on a stream of mode `refusals` (docs/reference/wire.md).

/** Refusals that differ in nothing but when. All of it was in the responses that the workload got. */
export interface SessionRefusal {
  /** A request, or a connection that carried none. */
  readonly kind: 'exchange' | 'stream';
  readonly method?: string;
  readonly scheme?: string;
  readonly host?: string;
  readonly port?: number;
  /** Its beginning, without a query. */
  readonly path?: string;
  /** A code of the error table; one of a later gateway is any other word. */
  readonly code: string;
  readonly rule?: string;
  readonly count: number;
}

export interface SessionRefusals {
  /** In the order in which they came first. */
  readonly refusals: readonly SessionRefusal[];
  /** How many more there were, of which nothing else is kept. */
  readonly others: number;
}

/** Characters of any of its texts: a name has no more, and what is no name is cut. */
export const refusalTextCharacters = 256;
/** Characters of a path that are shown; one more is kept, so that it can be seen to be cut. */
export const refusalPathCharacters = 80;

/** Two refusals with the same key are one, with a count. */
export function refusalKey(refusal: SessionRefusal): string {
  const { kind, method, scheme, host, port, path, code, rule } = refusal;
  return JSON.stringify([kind, method, scheme, host, port, path, code, rule]);
}
