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

/** Ways to other processes: workers of this gateway, of which one has all tunnels of a session and counts its limits, and other gateways. */
export interface TunnelPlaces {
  /** Passes the tunnel on to the process that has its session, if that is another. Whether it did. */
  passOn(upgrade: SessionUpgrade): Promise<boolean>;
  /** Resolves when what was passed on has ended, or the time is over. */
  drain(deadlineMs: number): Promise<void>;
  /** The session turned out to be over. */
  ended(sessionId: string): void;
}

/** Asks one after the other, until one has passed it on. */
export function orderedPlaces(places: readonly TunnelPlaces[]): TunnelPlaces {
  return {
    passOn: async (upgrade) => {
      for (const place of places) if (await place.passOn(upgrade)) return true;
      return false;
    },
    drain: async (deadlineMs) => {
      await Promise.all(places.map((place) => place.drain(deadlineMs)));
    },
    ended: (sessionId) => {
      for (const place of places) place.ended(sessionId);
    },
  };
}
