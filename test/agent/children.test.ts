// Sessions that a session makes: what whoever asks can leave behind.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';

import { Children, type MakingSession } from '../../src/agent/children.ts';
import { eventually, MemoryLogger, quickLimits } from './support/enrolled.ts';

test('who asks and leaves before the gateway has responded leaves no session behind', async () => {
  const made = Promise.withResolvers<unknown>();
  const asked = Promise.withResolvers<void>();
  let ended = 0;
  const session = {
    narrow: async (_request: unknown, signal?: AbortSignal) => {
      asked.resolve();
      signal?.addEventListener('abort', () => made.reject(new Error('given up')));
      return await made.promise;
    },
  };
  const child = { id: 'child', end: () => Promise.resolve(void (ended += 1)) };
  const environment = { of: () => ({}), own: () => [] };
  // What it is asked for is all that it is used for here.
  const maker = { session, environment, clientTls: undefined, relaySockets: [] } as unknown as MakingSession;
  const children = new Children({ limits: quickLimits, logger: new MemoryLogger() });
  children.begin(maker);
  const served: Socket[] = [];
  const server = createServer((socket) => {
    served.push(socket);
    children.serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  client.write(`${JSON.stringify({ policy: 'rules: []', confined: true })}\n`);
  await asked.promise;
  client.destroy();
  await eventually(() => served.every(({ destroyed }) => destroyed), 'the end of the connection');
  // By then the gateway has stored it.
  made.resolve(child);
  await children[Symbol.asyncDispose]();
  server.close();
  assert.equal(ended, 1);
});
