// Other programs that stand between a client and its origin, and what each does and does not do.

import type { OriginProcess } from '../contenders.ts';
import type { Contender } from '../contenders.ts';

/** What a program does with what goes through it, as it is set up here. */
export interface PeerFacts {
  readonly endsTls: string;
  readonly policy: string;
  readonly credentials: string;
  readonly audit: string;
}

export interface PeerPlace {
  /** A folder of its own. */
  readonly directory: string;
  readonly origin: OriginProcess;
  /** Where npm's packages were installed, or why they were not. */
  readonly packages: { readonly folder: string } | { readonly problem: string };
}

export interface Peer {
  readonly name: string;
  readonly facts: PeerFacts;
  /** Starts it, or says why it is not here. */
  start(place: PeerPlace): Promise<StartedPeer | string>;
}

export interface StartedPeer {
  readonly contender: Contender;
  readonly version: string | undefined;
}
