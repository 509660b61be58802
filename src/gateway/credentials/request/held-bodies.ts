// Bodies that are read whole before the head of their request goes out, because it depends on them: bounded each, for a
// session, together, and in time.

import type { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { HeldOctets } from '../../../protocol/held-octets.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { BodyFacts, BodyRewrite } from './body-rewrite.ts';
import { readWholeBody } from './whole-body.ts';

const bounds = { perSession: 'heldBodiesPerSessionBytesMax', all: 'heldBodiesBytesMax' } as const;

export interface HeldBody {
  readonly bytes: Buffer;
  /** These bytes as what goes to the origin; the room is free again when that is over, or dropped. */
  sendOn(bytes: Buffer): BodyRewrite;
}

export class HeldBodies {
  readonly limits: Limits;
  readonly #room: HeldOctets;

  /** @param held the budget of all that is held, of which bodies have a part */
  constructor(limits: Limits, held?: HeldOctets) {
    this.limits = limits;
    this.#room = new HeldOctets(limits, bounds, held);
  }

  /** Room for what is made of a body and kept until its request is over. @throws ProxyError limit_exceeded */
  keep({ sessionId, keep }: Pick<BodyFacts, 'sessionId' | 'keep'>, octets: number): void {
    keep(this.#room.reserve(sessionId, octets).release);
  }

  /** @throws ProxyError body_too_large, limit_exceeded, timeout, cancelled */
  async hold(body: BodyFacts, bytesMax: number): Promise<HeldBody> {
    // Room for the largest: what is not declared is not believed to be small.
    const { release } = this.#room.reserve(body.sessionId, body.length ?? bytesMax);
    // Between here and the sending there is much that can refuse the request.
    body.keep(release);
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
