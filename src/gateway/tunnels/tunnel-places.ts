// Where the tunnels of a session are, if one gateway has several processes.

import type { Duplex } from 'node:stream';
import type { UpgradeRequest } from '../../net/websocket-handshake.ts';
import type { AuthenticatedSession } from '../sessions/session-service.ts';

/** An upgrade of a session that is known. */
export interface SessionUpgrade {
  readonly session: AuthenticatedSession;
  readonly request: UpgradeRequest;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** What the TLS of the link gives to its two ends alone. */
  readonly exporter: Uint8Array | undefined;
}

/** All tunnels of a session are at one process, where its limits are counted. */
export interface TunnelPlaces {
  /** Passes the tunnel on to the process that has its session, if that is another. Whether it did. */
  passOn(upgrade: SessionUpgrade): Promise<boolean>;
  /** Resolves when what was passed on has ended, or the time is over. */
  drain(deadlineMs: number): Promise<void>;
  /** The session turned out to be over. */
  ended(sessionId: string): void;
}
