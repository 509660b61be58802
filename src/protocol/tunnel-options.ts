// What an end of a tunnel is made with.

import type { CountedOctets, SpareOctets } from './held-octets.ts';
import type { Limits } from './limits.ts';
import type { SpareBlocks } from './spare-blocks.ts';

export type TunnelRole = 'agent' | 'gateway';

export interface TunnelConnectionOptions {
  readonly role: TunnelRole;
  readonly limits: Limits;
  readonly nowMs: number;
  /** From which windows are widened, beside the bound of the tunnel itself. */
  readonly spare?: SpareOctets | undefined;
  /** What is held of the credit that every stream has by the wire. */
  readonly unread?: CountedOctets | undefined;
  /** Blocks that were written, of all tunnels that have the same limits. */
  readonly blocks?: SpareBlocks | undefined;
  /** Both ends said at the upgrade that they agree on modes for this tunnel. */
  readonly agreesOnModes?: boolean | undefined;
  /** Both ends said at the upgrade that the tunnel outlives its link. */
  readonly isResumable?: boolean | undefined;
  /** Both ends said at the upgrade that they carry datagrams. */
  readonly agreesOnDatagrams?: boolean | undefined;
}
