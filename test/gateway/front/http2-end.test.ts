import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';

import {
  flag,
  frame,
  frameType,
  headerBlock,
  parseFrames,
  preface,
} from '../../attacks/support/h2-frames.ts';
import type { SeenFrame } from '../../attacks/support/h2-frames.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';
import { http2Origin } from '../support/http2-origin.ts';

const authority = createTestAuthority();

/** The frames of stream 1 up to what `last` accepts. */
async function framesOf(socket: TLSSocket, last: (seen: SeenFrame) => boolean): Promise<SeenFrame[]> {
  const signal = AbortSignal.timeout(patienceMs);
  let bytes = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, 'data', { signal })) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
    const frames = parseFrames(bytes).filter(({ stream }) => stream === 1);
    if (frames.some(last)) return frames;
  }
}

function request(host: string, path: string, method: string): Buffer {
  const fields = [
    [':method', method],
    [':scheme', 'https'],
    [':authority', host],
    [':path', path],
  ] as const;
  const flags = flag.endHeaders | (method === 'GET' ? flag.endStream : 0);
  return Buffer.concat([
    preface,
    frame(frameType.settings, 0, 0),
    frame(frameType.headers, flags, 1, headerBlock(fields)),
  ]);
}

const ends = ({ type, flags }: SeenFrame): boolean =>
  (type === frameType.data || type === frameType.headers) && (flags & flag.endStream) !== 0;
const resets = ({ type }: SeenFrame): boolean => type === frameType.rstStream;

test('a response over HTTP/2 ends by its own end, not by a reset', async () => {
  await using secure = await httpsOrigin({ authority });
  await using http2 = await http2Origin(authority, true);
  for (const { port } of [secure, http2]) {
    await using path = openRequestPath({
      policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
    });
    const socket = await path.tls(`allowed.test:${port}`, { alpn: ['h2'] });
    socket.write(request(`allowed.test:${port}`, '/hello', 'GET'));
    const frames = await framesOf(socket, (seen) => ends(seen) || resets(seen));
    assert.equal(frames.some(resets), false, 'clients take a reset for a cut response');
    socket.destroy();
  }
});

test('a refusal is complete before the rest of an upload is refused', async () => {
  await using path = openRequestPath({
    policy: 'rules:\n  - { name: other, hosts: other.test }\n',
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  // HEAD has its end in the head of the response, and here a body that is still to come.
  for (const method of ['POST', 'HEAD']) {
    const socket = await path.tls('allowed.test:443', { alpn: ['h2'] });
    socket.write(request('allowed.test', '/upload', method));
    const frames = await framesOf(socket, resets);
    const [end, reset] = [frames.findIndex(ends), frames.findIndex(resets)];
    assert.ok(end >= 0 && end < reset, `${method}: the response ended at ${end}, the reset came at ${reset}`);
    assert.equal(frames[reset]?.payload.readUInt32BE(0), 0, 'NO_ERROR (RFC 9113 §8.1)');
    socket.destroy();
  }
});
