import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { listenCallbacks } from '../../../src/gateway/callbacks/callback-server.ts';

test('nothing is read for a sender that does not exist, and nothing is logged of a message that breaks off', async () => {
  const lines: string[] = [];
  let taken = 0;
  await using server = await listenCallbacks({
    listen: { address: '127.0.0.1', port: 0, names: [] },
    isKnown: (name) => name === 'team',
    take: async () => void (taken += 1),
    log: (level, message) => void (level === 'info' ? 0 : lines.push(message)),
    onLimit: () => undefined,
    onStranger: () => undefined,
  });
  const post = (name: string, body: string) => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST /v1/callbacks/${name} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: close\r\n\r\n${body}`,
    );
    return socket;
  };
  // Its body never ends.
  assert.match(await text(post('nobody', 'a')), /^HTTP\/1\.1 404/);
  const broken = post('team', 'a');
  await once(broken, 'connect');
  broken.end();
  await text(broken).catch(() => '');
  assert.match(await text(post('team', '0123456789')), /^HTTP\/1\.1 200/);
  assert.deepEqual([taken, lines], [1, []]);
});
