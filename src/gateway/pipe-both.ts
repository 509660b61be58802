// Bytes both ways between two sockets, with half-close, backpressure and counts.

import type { Duplex } from 'node:stream';
import { asProxyError } from '../protocol/error.ts';

export interface PipedBytes {
  readonly fromFirst: number;
  readonly fromSecond: number;
}

/** Resolves when both directions ended; a `spendBytes` that throws ends both; a failure on one side destroys the other with the same error. */
export async function pipeBoth(
  first: Duplex,
  second: Duplex,
  spendBytes: (bytes: number) => void = () => undefined,
): Promise<PipedBytes> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let fromFirst = 0;
  let fromSecond = 0;
  let open = 2;
  const closed = (): void => {
    open -= 1;
    if (open === 0) resolve(undefined);
  };
  const spend = (bytes: number): void => {
    try {
      spendBytes(bytes);
    } catch (error) {
      first.destroy(asProxyError(error));
      second.destroy(asProxyError(error));
    }
  };
  first.on('data', (chunk: Buffer) => {
    fromFirst += chunk.length;
    spend(chunk.length);
  });
  second.on('data', (chunk: Buffer) => {
    fromSecond += chunk.length;
    spend(chunk.length);
  });
  const link = (from: Duplex, to: Duplex): void => {
    from.once('error', (error) => {
      // Behind its end only the way back is broken: what it sent before is still on its way to the other side.
      if (!from.readableEnded) to.destroy(asProxyError(error, 'stream_reset'));
    });
    from.once('close', () => {
      // Closed without an end: the other side must not take it for one.
      if (!from.readableEnded && !to.destroyed)
        to.destroy(asProxyError(from.errored ?? new Error('the other side broke off'), 'stream_reset'));
      // Nobody takes what the other side still sends; it is read on so that its end is seen.
      else to.resume();
      closed();
    });
    from.pipe(to);
  };
  link(first, second);
  link(second, first);
  await promise;
  return { fromFirst, fromSecond };
}
