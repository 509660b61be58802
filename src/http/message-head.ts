// What was parsed and validated, and what is regenerated on the wire.

import type { Destination } from './destination.ts';
import type { HeaderList } from './header-list.ts';

/** A validated request head. `path` and `query` are canonical and are the very bytes that go upstream. */
export interface RequestHead {
  readonly method: string;
  readonly destination: Destination;
  /** Canonical path, always starting with `/` (or `*` for OPTIONS). */
  readonly path: string;
  /** Query with its `?`, or empty. */
  readonly query: string;
  /** End-to-end fields only: no hop-by-hop field, no Host. */
  readonly headers: HeaderList;
  readonly httpVersion: '1.0' | '1.1' | '2';
}

export interface ResponseHead {
  readonly status: number;
  /** Of a response that the gateway makes: clients of HTTP/1.1 show it. Printable ASCII. */
  readonly reasonPhrase?: string;
  readonly headers: HeaderList;
}
