import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';

import { byteStep } from '../../../src/gateway/forward/byte-step.ts';
import { pipeBoth } from '../../../src/gateway/forward/pipe-both.ts';
import { patienceMs } from '../../support/patience.ts';

const options = { timeout: patienceMs };

function fails(): never {
  throw new RangeError('odd octets');
}

for (const [name, step] of [
  ['takes', { take: fails }],
  ['ends with', { take: () => undefined, end: fails }],
] as const)
  test(`what a step throws that ${name} octets ends both sides, and nothing else`, options, async () => {
    const [client, first] = duplexPair();
    const [server, second] = duplexPair();
    for (const one of [client, server, first, second]) one.on('error', () => undefined);
    const piped = pipeBoth(first, second, { throughFirst: [byteStep(step)] });
    // An error comes first, for which `once` would reject.
    const closed = Promise.all([first, second].map((one) => new Promise((done) => one.once('close', done))));
    // Written as a socket would: a throw out of here would be one of the process.
    client.end('odd');
    const { fault } = await piped;
    await closed;
    assert.match(fault?.message ?? '', /odd octets/);
    assert.equal(fault?.code, 'internal');
  });

test('what a step pushes goes on in order, and what it has at the end stands behind', options, async () => {
  const step = byteStep({
    take: (chunk, through) => {
      for (const octet of chunk) through.push(Buffer.of(octet + 1));
    },
    end: (through) => void through.push('.'),
  });
  let given = '';
  step.on('data', (chunk: Buffer) => (given += chunk.toString()));
  step.write('ab');
  step.end('c');
  await once(step, 'end');
  assert.equal(given, 'bcd.');
});
