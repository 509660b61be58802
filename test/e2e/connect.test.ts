// `upstreamproxy connect` as ssh starts it: its streams are the connection.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { relayFixture } from '../agent/support/relay-fixture.ts';
import { launcher } from '../support/program.ts';

test('input goes there, the response comes back, and each direction ends by itself', async () => {
  await using fixture = await relayFixture();
  const env = { PATH: process.env['PATH'], https_proxy: `http://127.0.0.1:${fixture.relay.port}` };
  const child = spawn(launcher, ['connect', 'db.test', '5432'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  // It may end before its output has been read.
  const exited = once(child, 'exit');
  const stream = await fixture.nextStream();
  stream.accept();
  child.stdin.end('question');
  let asked = '';
  stream.on('data', (bytes: Buffer) => (asked += bytes.toString()));
  await once(stream, 'end');
  assert.equal(asked, 'question');
  // The client has said everything and still gets the whole response.
  stream.end('a'.repeat(1_000_000));
  assert.equal((await text(child.stdout)).length, 1_000_000);
  assert.deepEqual(await exited, [0, null]);
});

test('what the relay refuses is said, with the exit code of a refusal', async () => {
  const server = createServer((socket) =>
    socket.on('error', () => undefined).end('HTTP/1.1 403 no\r\nX-Deny-Reason: policy_denied\r\n\r\n'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const child = spawn(launcher, ['connect', '--relay', `http://127.0.0.1:${port}`, 'db.test', '22']);
  const said = await text(child.stderr);
  assert.match(said, /refuses db\.test:22 with 403: policy_denied \[policy_denied\]/);
  if (child.exitCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 77);
  server.close();
});
