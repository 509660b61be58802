// A log-in on a WebSocket: the client has a placeholder, the origin gets the secret, and what the origin repeats has a mark.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { WebSocketServer, WebSocket } from 'ws';

import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'chat.test';
const secret = 'canary-of-a-chat-0123456789';
const word = 'upstreamproxy-placeholder-chat';

/** It says what it got, and which extensions were asked for. */
async function openOrigin() {
  const server = createServer(authority.issue(host));
  const got: string[] = [];
  const sockets = new WebSocketServer({ server, perMessageDeflate: true });
  sockets.on('connection', (socket, request) => {
    got.push(`extensions: ${request.headers['sec-websocket-extensions'] ?? 'none'}`);
    socket.on('message', (data) => {
      // Text and binary come as one Buffer by default.
      const text = (data as Buffer).toString();
      got.push(text);
      socket.send(text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    got,
    [Symbol.asyncDispose]: async () => {
      for (const one of sockets.clients) one.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

function pathTo(port: number, more = '') {
  return openRequestPath({
    policy: `rules:\n  - { name: chat, hosts: ${host}, ports: ${String(port)}, addresses: 127.0.0.0/8, paths: /ws, inject: chat${more} }\n  - { name: other, hosts: ${host}, ports: ${String(port)}, addresses: 127.0.0.0/8, paths: /other }\n`,
    hosts: [host],
    trust: [authority.caPem],
    credentials: {
      chat: { kind: 'placeholder', source: { env: 'CHAT' }, placeholder: { env: 'CHAT_TOKEN', messages: 1 } },
    },
    environment: { CHAT: secret },
  });
}

async function talk(path: ReturnType<typeof pathTo>, port: number, at: string, messages: readonly string[]) {
  const socket = await path.tls(`${host}:${String(port)}`);
  const client = new WebSocket(`ws://${host}:${String(port)}${at}`, { createConnection: () => socket });
  const heard: string[] = [];
  const done = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (data) => {
      heard.push((data as Buffer).toString());
      if (heard.length === messages.length) resolve();
    });
  });
  done.catch(() => undefined);
  await once(client, 'open');
  for (const one of messages) client.send(one);
  await done;
  client.close();
  await once(client, 'close');
  return heard;
}

const options = { timeout: patienceMs };

test(
  'the origin gets the secret in the log-in, and the client a mark of what comes back',
  options,
  async () => {
    await using origin = await openOrigin();
    await using path = pathTo(origin.port);
    const [logIn, later] = [`{"token":"${word}"}`, `{"again":"${word}"}`];
    const heard = await talk(path, origin.port, '/ws', [logIn, later]);
    assert.deepEqual(origin.got, ['extensions: none', `{"token":"${secret}"}`, later]);
    assert.match(heard[0] ?? '', /^\{"token":"[^"]*"\}$/);
    assert.equal(heard[1], later);
    assert.ok(!heard.join('').includes(secret));
    const [event] = await path.events(1);
    assert.deepEqual([event?.verdict, event?.injected, event?.rule], ['allow', ['chat'], 'chat']);
    assert.ok(!JSON.stringify(path.audit).includes(secret));
  },
);

test(
  'a rule without the credential puts nothing into messages, and leaves them compressed',
  options,
  async () => {
    await using origin = await openOrigin();
    await using path = pathTo(origin.port);
    const logIn = `{"token":"${word}"}`;
    await talk(path, origin.port, '/other', [logIn]);
    assert.match(origin.got[0] ?? '', /permessage-deflate/);
    assert.equal(origin.got[1], logIn);
  },
);

test(
  'a search for leaks sees the placeholder, and not the secret that the gateway itself sends',
  options,
  async () => {
    await using origin = await openOrigin();
    await using path = pathTo(origin.port, ', leaks: { on: block }');
    await talk(path, origin.port, '/ws', [`{"token":"${word}"}`]);
    assert.equal(origin.got[1], `{"token":"${secret}"}`);
  },
);

test('without its source no WebSocket is opened', options, async () => {
  await using origin = await openOrigin();
  await using path = openRequestPath({
    policy: `rules: [{ name: chat, hosts: ${host}, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, inject: chat }]`,
    hosts: [host],
    trust: [authority.caPem],
    credentials: {
      chat: {
        kind: 'placeholder',
        source: { file: '/nowhere/at-all' },
        placeholder: { env: 'CHAT_TOKEN', messages: 1 },
      },
    },
  });
  await assert.rejects(talk(path, origin.port, '/ws', ['x']), /Unexpected server response: 50\d/);
  assert.deepEqual(origin.got, []);
});
