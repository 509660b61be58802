import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';

import { isServiceUrl } from '../../../src/gateway/forward/service-fetch.ts';
import { canary, findCanary } from '../../support/canary.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestServices } from '../support/service-fetch.ts';

const authority = createTestAuthority();
const megabyte = 1024 * 1024;
let server: Server;
let origin = '';
const connections = new Set<object>();

before(async () => {
  server = createServer(authority.issue('localhost'), (request, response) => {
    switch (request.url) {
      case '/whole':
        return response.end('x'.repeat(megabyte));
      case '/large':
        return response.end('x'.repeat(megabyte + 1));
      case '/redirect':
        return response.writeHead(307, { location: '/whole' }).end();
      case '/cut':
        response.writeHead(200, { 'content-length': '10' });
        return response.write('half', () => request.socket.destroy());
      case '/silent':
        return undefined;
      default:
        return response.end(request.method);
    }
  });
  server.on('secureConnection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  origin = `https://localhost:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test('a response is bounded, whole, and not from elsewhere', async () => {
  await using services = openTestServices([authority.caPem]);
  const secret = canary('sent');
  const ask = (path: string) =>
    services.fetch(`${origin}${path}`, { method: 'POST', headers: { authorization: secret }, body: secret });
  assert.equal((await ask('/')).text, 'POST');
  assert.equal((await ask('/whole')).text.length, megabyte);
  for (const path of ['/large', '/redirect', '/cut']) {
    const error: unknown = await ask(path).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Error, path);
    assert.deepEqual(findCanary(inspect(error, { depth: 9 }), secret), [], path);
  }
});

test('a service that does not response is given up by its time, by the signal, and at the end', async () => {
  await using services = openTestServices([authority.caPem]);
  const ask = { method: 'GET', headers: {} } as const;
  await assert.rejects(services.fetch(`${origin}/silent`, { ...ask, timeoutMs: 50 }));
  const abort = new AbortController();
  const running = services.fetch(`${origin}/silent`, { ...ask, signal: abort.signal });
  abort.abort();
  await assert.rejects(running);
  const last = assert.rejects(services.fetch(`${origin}/silent`, ask));
  await services[Symbol.asyncDispose]();
  await last;
  const deadline = performance.now() + patienceMs;
  while (connections.size > 0 && performance.now() < deadline) await new Promise(setImmediate);
  assert.equal(connections.size, 0);
});

test('a request may bring an authority of its own, which counts for that request alone', async () => {
  await using services = openTestServices([]);
  const ask = { method: 'GET', headers: {} } as const;
  await assert.rejects(services.fetch(origin, { ...ask, ca: [createTestAuthority().caPem] }));
  assert.equal((await services.fetch(origin, { ...ask, ca: [authority.caPem] })).status, 200);
  await assert.rejects(services.fetch(origin, ask));
});

test('a URL is https, or an address on loopback', () => {
  const good = [
    'https://a.test',
    'https://[::1]:8200/x',
    'http://127.0.0.1:8200',
    'http://127.1.2.3',
    'http://[::1]',
  ];
  const bad = [
    'http://a.test',
    'http://localhost:8200',
    'http://127.0.0.1.a.test',
    'http://10.0.0.1',
    'http://[::ffff:10.0.0.1]',
    'https://user:word@a.test',
    'https://a.test/#x',
    'ftp://127.0.0.1',
    'a.test',
    '',
  ];
  assert.deepEqual(
    good.filter((url) => !isServiceUrl(url)),
    [],
  );
  assert.deepEqual(bad.filter(isServiceUrl), []);
});
