// Bytes that are paid for before they pass.

import { Transform } from 'node:stream';
import { asProxyError } from '../../protocol/error.ts';

/** Pays for bytes that are about to pass: undefined if they are paid for, else when they are. Rejects with ProxyError limit_exceeded. */
export type SpendBytes = (bytes: number) => Promise<undefined> | undefined;

/** What is not paid for does not come out: it ends with the error. */
export function meteredStream(spendBytes: SpendBytes): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const unpaid = spendBytes(chunk.length);
      if (unpaid === undefined) done(null, chunk);
      else
        unpaid.then(
          () => {
            done(null, chunk);
          },
          (error: unknown) => {
            done(asProxyError(error));
          },
        );
    },
  });
}
