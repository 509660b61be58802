// Reads a short body to its end. The stream is left alone when that fails: its connection has to carry the response.

import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { GatheredOctets } from '../../../protocol/gathered-octets.ts';
import { ProxyError } from '../../../protocol/error.ts';

export interface WholeBodyLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** @throws ProxyError body_too_large, timeout, cancelled */
export async function readWholeBody(
  body: Readable,
  { bytesMax, timeoutMs }: WholeBodyLimits,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const octets = new GatheredOctets();
  const onData = (chunk: Buffer): void => {
    if (octets.length + chunk.length > bytesMax)
      reject(new ProxyError('body_too_large', `the body is longer than ${String(bytesMax)} bytes`));
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
  const timer = setTimeout(() => {
    reject(new ProxyError('timeout', `the body did not arrive whole within ${String(timeoutMs)} ms`));
  }, timeoutMs);
  body.on('data', onData).once('end', onEnd).once('error', onFault).once('close', onFault);
  // Whoever looked whether there is a body at all has heard its end already.
  if (body.readableEnded) onEnd();
  else if (body.destroyed) onFault(body.errored ?? undefined);
  try {
    await promise;
    return Buffer.from(octets.take().buffer);
  } finally {
    clearTimeout(timer);
    body.pause();
    body.off('data', onData).off('end', onEnd).off('error', onFault).off('close', onFault);
  }
}
