// Bodies that are read whole before the head of their request goes out, because it depends on them: bounded each, for a
// session, together, and in time.

import type { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { ProxyError } from '../../../protocol/error.ts';
import type { LimitName, Limits } from '../../../protocol/limits.ts';
import type { BodyFacts, BodyRewrite } from './body-rewrite.ts';
import { readWholeBody } from './whole-body.ts';

export interface HeldBody {
  readonly bytes: Buffer;
  /** These bytes as what goes to the origin; the room is free again when that is over, or dropped. */
  sendOn(bytes: Buffer): BodyRewrite;
}

export class HeldBodies {
  readonly limits: Limits;
  #heldBytes = 0;
  readonly #heldBytesBySession = new Map<string, number>();

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** @throws ProxyError body_too_large, limit_exceeded, timeout, cancelled */
  async hold(body: BodyFacts, bytesMax: number): Promise<HeldBody> {
    // Room for the largest: what is not declared is not believed to be small.
    const release = this.#reserve(body.length ?? bytesMax, body.sessionId);
    const timeoutMs = this.limits.heldBodyTimeoutMs;
    const bytes = await readWholeBody(body.open(), { bytesMax, timeoutMs }).catch((error: unknown) => {
      release();
      throw error;
    });
    return {
      bytes,
      sendOn: (given) => ({
        length: given.length,
        isWhole: true,
        drop: release,
        rewrite: () => bodyOf(given, release),
      }),
    };
  }

  /** Gives what frees the room again. */
  #reserve(room: number, sessionId: string): () => void {
    const ofSession = (this.#heldBytesBySession.get(sessionId) ?? 0) + room;
    if (ofSession > this.limits.heldBodiesPerSessionBytesMax) throw tooMany('heldBodiesPerSessionBytesMax');
    if (this.#heldBytes + room > this.limits.heldBodiesBytesMax) throw tooMany('heldBodiesBytesMax');
    this.#heldBytes += room;
    this.#heldBytesBySession.set(sessionId, ofSession);
    return once(() => {
      this.#heldBytes -= room;
      const left = (this.#heldBytesBySession.get(sessionId) ?? 0) - room;
      if (left > 0) this.#heldBytesBySession.set(sessionId, left);
      else this.#heldBytesBySession.delete(sessionId);
    });
  }
}

/** The room is free again when the request is over, whichever way. */
function bodyOf(bytes: Buffer, release: () => void): Readable {
  const body = new Readable({
    read() {
      this.push(bytes);
      this.push(null);
    },
  });
  body.once('close', release);
  return body;
}

function tooMany(limit: LimitName): ProxyError {
  return new ProxyError('limit_exceeded', `too many bodies wait to be sent on (${limit}); try again`, {
    limit,
  });
}

function once(step: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) step();
    isDone = true;
  };
}
