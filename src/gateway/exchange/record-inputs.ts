// What the record of an exchange is told.

import type { Destination } from '../../http/destination.ts';

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
}

export interface FaultNotes {
  /** For the audit in place of the error's own message. */
  readonly message?: string;
  /** What the operator alone is told. */
  readonly operatorDetail?: string | undefined;
}
