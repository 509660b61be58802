// Reads a short body to its end. The stream is left alone when that fails: its connection has to carry the response.

import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { GatheredOctets } from '../../../protocol/gathered-octets.ts';
import { ProxyError } from '../../../protocol/error.ts';

export interface WholeBodyLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** Why a body was not read to its end. */
type Unread = 'body_too_large' | 'timeout';

/** @throws ProxyError body_too_large, timeout, cancelled */
export async function readWholeBody(body: Readable, limits: WholeBodyLimits): Promise<Buffer> {
  const read = await gather(body, limits, () => undefined);
  if (read === 'body_too_large')
    throw new ProxyError(read, `the body is longer than ${String(limits.bytesMax)} bytes`);
  if (read === 'timeout')
    throw new ProxyError(read, `the body did not arrive whole within ${String(limits.timeoutMs)} ms`);
  return read;
}

/** The whole body; or why it was not read, and then the stream has all of it as before. @throws ProxyError cancelled */
export async function readOrPutBack(body: Readable, limits: WholeBodyLimits): Promise<Buffer | Unread> {
  return await gather(body, limits, (pieces) => {
    for (const piece of pieces.toReversed()) if (piece.length > 0) body.unshift(piece);
  });
}

/** `giveUp` gets what was read by then, while nothing else is taken from the stream. @throws ProxyError cancelled */
async function gather(
  body: Readable,
  { bytesMax, timeoutMs }: WholeBodyLimits,
  giveUp: (pieces: readonly Buffer[]) => void,
): Promise<Buffer | Unread> {
  const { promise, resolve, reject } = Promise.withResolvers<Unread | undefined>();
  const octets = new GatheredOctets();
  const taken = (): Buffer => Buffer.from(octets.take().buffer);
  const stop = (why: Unread, more: readonly Buffer[]): void => {
    // At once: a stream gives piece after piece before any promise is heard.
    body.pause();
    body.off('data', onData);
    giveUp([taken(), ...more]);
    resolve(why);
  };
  const onData = (chunk: Buffer): void => {
    if (octets.length + chunk.length > bytesMax) stop('body_too_large', [chunk]);
    else octets.push(chunk);
  };
  const onEnd = (): void => {
    resolve(undefined);
  };
  const onFault = (error?: unknown): void => {
    reject(
      error instanceof ProxyError
        ? error
        : new ProxyError('cancelled', 'the request body broke off', { cause: error }),
    );
  };
  const timer = setTimeout(() => stop('timeout', []), timeoutMs);
  body.on('data', onData).once('end', onEnd).once('error', onFault).once('close', onFault);
  // Whoever looked whether there is a body at all has heard its end already.
  if (body.readableEnded) onEnd();
  else if (body.destroyed) onFault(body.errored ?? undefined);
  try {
    return (await promise) ?? taken();
  } finally {
    clearTimeout(timer);
    body.pause();
    body.off('data', onData).off('end', onEnd).off('error', onFault).off('close', onFault);
  }
}
