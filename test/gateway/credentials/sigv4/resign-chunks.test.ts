import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';

import { codedLength, resignChunks } from '../../../../src/gateway/credentials/sigv4/resign-chunks.ts';
import { Signer } from '../../../../src/gateway/credentials/sigv4/signer.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const keys = { accessKeyId: 'AKID', secretAccessKey: new Secret('secret'), sessionToken: undefined };
const scope = { region: 'us-east-1', service: 's3' };
const seed = '0'.repeat(64);
const KiB = 1024;

test('a reader that stops halts the largest chunk after a few hundred KiB, and loses nothing of it', async () => {
  const decodedLength = defaultLimits.awsChunkBytesMax;
  const chunks = { signer: new Signer(keys, scope, 0), seed, decodedLength, trailerNames: undefined };
  const body = new PassThrough({ highWaterMark: 16 * KiB });
  const signed = resignChunks(chunks).rewrite(body);
  const piece = Buffer.alloc(16 * KiB, 'x');
  body.write(`${decodedLength.toString(16)};chunk-signature=${seed}\r\n`);
  const flow = { sent: 0, taken: 0, held: 0 };
  const isMore = (): boolean => flow.sent < decodedLength;
  /** Gives as much as is taken, until nothing moves any more: no timer is part of it, so a few turns suffice. */
  const fill = async (): Promise<void> => {
    for (let quiet = 0; quiet < 5 && isMore(); quiet += 1) {
      for (; !body.writableNeedDrain && isMore(); flow.sent += piece.length) {
        quiet = 0;
        body.write(piece);
      }
      await setImmediate();
    }
  };
  while (isMore()) {
    await fill();
    flow.held = Math.max(flow.held, flow.sent - flow.taken);
    // A reader that comes once in a while, and takes what is there.
    flow.taken += bytesOf(signed.read());
  }
  body.end(`\r\n0;chunk-signature=${seed}\r\n\r\n`);
  signed.on('data', (bytes: Buffer) => (flow.taken += bytes.length));
  await once(signed, 'end');
  assert.equal(flow.taken, codedLength(chunks));
  assert.ok(flow.held > 0 && flow.held <= 256 * KiB, `${String(flow.held)} bytes were held`);
});

/** What `read` of a stream of bytes gives. */
function bytesOf(read: unknown): number {
  return Buffer.isBuffer(read) ? read.length : 0;
}
