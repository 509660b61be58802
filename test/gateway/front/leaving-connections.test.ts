// Connections of clients at a gateway that is about to end: told to come no more, and ended only where nothing runs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';

import { httpsOrigin } from '../../support/origin.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openScene, overBoth, readAll } from '../support/connection-scene.ts';
import { openRequestPath } from '../support/request-path.ts';

overBoth('a response says that it is the last one, the one that has begun included', async (over) => {
  const began = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  await using scene = await openScene(over, {
    handler: (request, response) => {
      began.resolve();
      void goOn.promise.then(() => response.end(request.url));
    },
  });
  const { client, connection } = await scene.open();
  const read = readAll(client);
  client.write(`GET /one HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  await began.promise;
  connection.isLeaving = () => true;
  // A request runs, so this is not yet its end.
  connection.closeIdle();
  goOn.resolve();
  const text = (await read).toString();
  assert.match(text, /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n[^]*\/one$/);
  client.end();
});

overBoth('a connection on which nothing runs ends, one whose next head has begun does not', async (over) => {
  await using scene = await openScene(over, { handler: (request, response) => response.end(request.url) });
  const idle = await scene.open();
  const idleRead = readAll(idle.client);
  idle.connection.closeIdle();
  assert.equal((await idleRead).length, 0);
  idle.client.end();
  const busy = await scene.open();
  // What came with the first request is there when its response is.
  const first = once(busy.client, 'data');
  busy.client.write(`GET /one HTTP/1.1\r\nHost: ${scene.at}\r\n\r\nGET /two HTTP/1.1\r\n`);
  assert.match(String((await first)[0]), /\/one$/);
  const read = readAll(busy.client);
  busy.connection.closeIdle();
  busy.client.end(`Host: ${scene.at}\r\n\r\n`);
  assert.match((await read).toString(), /^HTTP\/1\.1 200 [^]*\/two$/);
});

test('over HTTP/2 a client is told to open no more, and what it opened before it heard is served', async () => {
  const authority = createTestAuthority();
  await using origin = await httpsOrigin({ authority });
  const host = `allowed.test:${String(origin.port)}`;
  await using path = openRequestPath({
    policy: `rules:\n  - { name: a, hosts: allowed.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const socket = await path.tls(host, { alpn: ['h2'] });
  const client = connect(`https://${host}`, { createConnection: () => socket });
  const status = async (): Promise<number> => {
    const stream = client.request({ ':path': '/hello' });
    const [headers] = (await once(stream, 'response')) as [{ readonly ':status'?: number }];
    await once(stream.resume(), 'close');
    return headers[':status'] ?? 0;
  };
  assert.equal(await status(), 200);
  const told = once(client, 'goaway') as Promise<[code: number, lastId: number]>;
  // Neither end has read what the other says here.
  const crossing = status();
  path.parts.http2Front.drain();
  assert.equal(await crossing, 200);
  const [code, lastId] = await told;
  assert.deepEqual([code, lastId], [0, 2 ** 31 - 1]);
  // This client ends the connection itself then.
  await waitUntil('the client ends', () => client.destroyed);
  socket.destroy();
});
