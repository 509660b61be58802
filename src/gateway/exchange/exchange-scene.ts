// Whose exchanges they are, and where they go.

import type { Destination } from '../../http/destination.ts';
import type { LinkAbsence } from '../../net/link-absence.ts';
import type { Principal } from '../../policy/decision.ts';

/** What does not change between the exchanges of one client connection. */
export interface ExchangeScene {
  readonly principal: Principal;
  /** Of the stream; undefined where each request names its own (mode `proxy`). */
  readonly destination: Destination | undefined;
  /** How the client's connection is secured, for the audit. */
  readonly protocol: string;
  /** Hops that the client's connection has behind it. */
  readonly via?: string | undefined;
  /** When the client could not be reached. */
  readonly absence?: LinkAbsence | undefined;
}
