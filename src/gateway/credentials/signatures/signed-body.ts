// The whole body of a request, for a signature that covers it: held until the head can go out, and no longer than the bound.

import { Buffer } from 'node:buffer';
import { ProxyError } from '../../../protocol/error.ts';
import type { BodyFacts, BodyRewrite } from '../request/body-rewrite.ts';
import type { HeldBodies } from '../request/held-bodies.ts';

export interface SignedBody {
  readonly bytes: Buffer;
  /** How it goes on; absent for a request without a body. */
  readonly rewrite?: BodyRewrite;
}

/** @throws ProxyError body_too_large, limit_exceeded, timeout, cancelled */
export async function signedBody(body: BodyFacts | undefined, held: HeldBodies): Promise<SignedBody> {
  if (body === undefined) return { bytes: Buffer.alloc(0) };
  const { signedBodyBytesMax } = held.limits;
  if ((body.length ?? 0) > signedBodyBytesMax) throw tooLarge(signedBodyBytesMax);
  const { bytes, sendOn } = await held.hold(body, signedBodyBytesMax).catch((error: unknown) => {
    throw error instanceof ProxyError && error.code === 'body_too_large'
      ? tooLarge(signedBodyBytesMax)
      : error;
  });
  return { bytes, rewrite: sendOn(bytes) };
}

function tooLarge(bytesMax: number): ProxyError {
  return new ProxyError(
    'body_too_large',
    `the signature stands before the body and covers it, so the gateway has to hold the body, of at most ${String(bytesMax)} bytes; send less at once`,
    { limit: 'signedBodyBytesMax' },
  );
}
