// What the record of an exchange is told.

import type { Destination } from '../../http/destination.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { DenialHelp } from './denial.ts';

/** What a client said, before anything of it was checked. */
export interface AskedRequest {
  readonly method?: string | undefined;
  readonly target?: string | undefined;
  readonly protocol?: string;
  /** Of the stream that it came on. */
  readonly destination?: Destination | undefined;
}

export interface JudgedBy {
  readonly policyVersion: string;
  /** Whether a request for access could change a denial. */
  readonly mayAskAccess?: boolean;
  /** What the organisation says to whoever is denied. */
  readonly help?: DenialHelp | undefined;
}

/**
 * What only few have: kinds of questions that were withheld, the trace of a WebSocket, others that were refused and have no event, what
 * a registry was asked for it, whose session of which database it is.
 */
export type RareFacts = Readonly<
  Partial<
    Record<
      | 'withheld'
      | 'socketTrace'
      | 'refused'
      | 'registryAsked'
      | 'database'
      | 'ssh'
      | 'signature'
      | 'datagrams'
      | 'hiddenVersions'
      | 'keptTokens',
      unknown
    >
  >
>;

export interface FaultNotes {
  /** For the audit in place of the error's own message. */
  readonly message?: string;
  /** What the operator alone is told. */
  readonly operatorDetail?: string | undefined;
}

export function outOfOrder(verb: string, state: string): ProxyError {
  return new ProxyError('internal', `the exchange cannot be ${verb} now: it is ${state}`);
}
