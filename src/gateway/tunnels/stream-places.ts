// Where the streams of clients without an agent are served, if one gateway has several processes.

import type { Socket } from 'node:net';
import type { Principal } from '../../policy/decision.ts';
import type { StreamPort } from './stream-scene.ts';

/** A stream of a session that is known. */
export interface SessionStream {
  readonly principal: Principal;
  /** Of the token that was shown for it. */
  readonly digest: string;
  readonly port: StreamPort;
}

/** Ways to other workers of this gateway, of which one has all streams of a session and counts its limits. */
export interface StreamPlaces {
  /** Where connections come in, while this process does not listen itself; undefined: they are cut off. */
  onConnection(accept: ((socket: Socket) => void) | undefined): void;
  /** The port at which another process listens for this one. */
  readonly port: number;
  /** Passes the stream on to the process that has its session, if that is another. Whether it did, or refused it. Never rejects. */
  passOn(stream: SessionStream): Promise<boolean>;
  /** Gives what others pass on to the one who serves it. */
  onPassed(serve: (stream: SessionStream) => void): void;
}
