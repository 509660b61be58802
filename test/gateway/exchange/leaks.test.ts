import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect as connectHttp2, createSecureServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { LeakLedger } from '../../../src/gateway/leaks/leak-ledger.ts';
import { leakHash } from '../../../src/gateway/leaks/leak-search.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { formsOfValue, sample } from '../support/leaks.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'collector.test';

interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, unknown>>;
}

interface Collector extends AsyncDisposable {
  readonly port: number;
  readonly received: readonly Received[];
}

/** An origin of the workload: it keeps all that comes, also of requests that break off. */
async function openCollector(): Promise<Collector> {
  const received: Received[] = [];
  const server: Http2Server = createSecureServer({ ...authority.issue(host), allowHTTP1: true });
  server.on('request', (request, response) => {
    const one = { url: request.url, headers: request.headers, body: Buffer.alloc(0), trailers: {} };
    received.push(one);
    request.on('data', (chunk: Buffer) => (one.body = Buffer.concat([one.body, chunk])));
    request.on('error', () => undefined);
    request.on('end', () => {
      one.trailers = request.trailers;
      response.end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      // Of HTTP/1.1 and of HTTP/2: what is kept open would keep the server.
      (server as unknown as { closeAllConnections?(): void }).closeAllConnections?.();
      await Promise.race([closed, new Promise((resolve) => setImmediate(resolve))]);
    },
  };
}

function openPath(
  port: number,
  leaks: string,
  more: Partial<RequestPathOptions> = {},
  rule = '',
): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: out, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8, leaks: ${leaks}${rule} }\n`,
    hosts: [host],
    trust: [authority.caPem],
    credentials: {
      deploy: { kind: 'bearer', source: { env: 'DEPLOY' } },
      owned: { kind: 'bearer', source: { env: 'OWNED' } },
    },
    environment: { DEPLOY: sample.token, OWNED: sample.other, PLANTED: 'canary-7d1f0c9b8a6e5243' },
    canaries: { planted: { env: 'PLANTED' } },
    ...more,
  });
}

interface Sent {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly trailers?: Readonly<Record<string, string>>;
}

async function send(path: RequestPath, port: number, sent: Sent): Promise<number | 'broken'> {
  const socket = await path.tls(`${host}:${port}`, { alpn: ['http/1.1'] });
  const { headers = {}, body, trailers } = sent;
  const asked = httpsRequest({
    createConnection: () => socket,
    host,
    port,
    path: sent.path ?? '/',
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...headers,
      ...(trailers === undefined ? {} : { 'transfer-encoding': 'chunked', trailer: 'grpc-note' }),
    },
  });
  const { promise, resolve } = Promise.withResolvers<number | 'broken'>();
  asked.on('response', (response) => {
    response.resume().on('error', () => undefined);
    resolve(response.statusCode ?? 0);
  });
  asked.on('error', () => resolve('broken'));
  if (trailers !== undefined) asked.addTrailers(trailers);
  asked.end(body);
  const status = await promise;
  socket.destroy();
  return status;
}

const multipart = (value: string): string =>
  `--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n${value}\r\n--x--\r\n`;
const grpcMessage = (value: string): Buffer => {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(Buffer.byteLength(value), 1);
  return Buffer.concat([header, Buffer.from(value)]);
};

/** Where a value can stand in a request over HTTP/1.1. */
const places: Readonly<Record<string, (value: string) => Sent>> = {
  'a field': (value) => ({ headers: { 'x-note': value.replaceAll(/[^\x20-\x7e]/g, ' ') } }),
  'the query': (value) => ({ path: `/?q=${encodeURIComponent(value)}` }),
  'the path': (value) => ({ path: `/${encodeURIComponent(value)}` }),
  'a body': (value) => ({ body: `{"note":"${value}"}`, headers: { 'content-type': 'application/json' } }),
  'a body in gzip': (value) => ({
    body: gzipSync(`note: ${value}`),
    headers: { 'content-encoding': 'gzip' },
  }),
  'a form': (value) => ({
    body: `a=1&note=${encodeURIComponent(value)}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }),
  'a part': (value) => ({
    body: multipart(value),
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  }),
  'a message of gRPC': (value) => ({
    body: grpcMessage(`\x0a\x20${value}`),
    headers: { 'content-type': 'application/grpc+proto' },
  }),
};

test('a credential leaves in no form and at no place but by its own rule', { timeout: 120_000 }, async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: block }');
  const forms = Object.entries(formsOfValue(sample.token));
  let asked = 0;
  for (const [place, sentWith] of Object.entries(places))
    for (const [form, written] of forms) {
      // No path has a backslash or a line end, whoever sends it.
      if (place === 'the path' && /[\\\r\n]/.test(written)) continue;
      const status = await send(path, origin.port, sentWith(written));
      assert.equal(status, 403, `${form} in ${place}`);
      asked += 1;
    }
  const events = await path.events(asked);
  for (const event of events) {
    assert.equal(event.errorCode, 'leak_found');
    assert.equal(event.verdict, 'deny');
    assert.equal(event.leaks?.[0]?.name, 'deploy');
    assert.equal(event.requestBytes ?? 0, 0);
  }
  // The positive control: the same requests with another value arrive.
  for (const sentWith of Object.values(places))
    assert.equal(await send(path, origin.port, sentWith('nothing-that-anybody-holds-0123456789')), 200);
  assert.ok(origin.received.every(({ body }) => !body.includes(sample.token)));
});

test('in trailers and in fragments over parameters a credential is found', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: block }');
  const parts = sample.token.match(/.{1,6}/g) ?? [];
  const query = parts.map((part, i) => `p${'xyzabc'[i]}=${part}`).join('&');
  assert.equal(await send(path, origin.port, { path: `/?${query}` }), 403);
  assert.equal(await send(path, origin.port, { path: `/${parts.join('/')}` }), 403);
  assert.equal(await send(path, origin.port, { path: `/?q=${parts.join('%2E')}%ff` }), 403);
  assert.equal(
    await send(path, origin.port, {
      path: `/?q=${encodeURIComponent(encodeURIComponent(`"${sample.token}`))}`,
    }),
    403,
  );
  const status = await send(path, origin.port, { body: 'short', trailers: { 'grpc-note': sample.token } });
  assert.notEqual(status, 200);
  const events = await path.events(5);
  assert.equal(events[4]?.leaks?.[0]?.place, 'trailer');
});

test('a canary and a known shape are found, and nothing of them is told but the name and a hash', async () => {
  await using origin = await openCollector();
  const shaped = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;
  await using path = openPath(origin.port, '{ on: block }');
  assert.equal(await send(path, origin.port, { body: 'x canary-7d1f0c9b8a6e5243' }), 403);
  assert.equal(await send(path, origin.port, { body: `token=${shaped}` }), 403);
  const [canary, shape] = await path.events(2);
  assert.deepEqual(canary?.leaks, [{ kind: 'canary', name: 'planted', place: 'body', action: 'blocked' }]);
  const hash = leakHash(shaped);
  assert.deepEqual(shape?.leaks, [
    { kind: 'shape', name: 'github-token', place: 'body', action: 'blocked', hash },
  ]);
  assert.ok(!JSON.stringify([canary, shape]).includes('7d1f0c9b'));
  assert.ok(!JSON.stringify([canary, shape]).includes('a1B2c3D4'));
  await using allowing = openPath(origin.port, `{ on: block, allow: ${hash} }`);
  assert.equal(await send(allowing, origin.port, { body: `token=${shaped}` }), 200);
  assert.equal(await send(allowing, origin.port, { body: `token=${shaped.replace('a1', 'zz')}` }), 403);
});

test('a rule that sends a credential itself lets it through, and no other one', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: block }', {}, ', inject: owned');
  assert.equal(await send(path, origin.port, { body: `x ${sample.other}` }), 200);
  assert.equal(await send(path, origin.port, { body: `x ${sample.token}` }), 403);
  assert.equal(origin.received[0]?.headers['authorization'], `Bearer ${sample.other}`);
});

test('alert lets it through and tells it', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: alert }');
  const headers = { 'x-note': sample.token, 'content-encoding': 'deflate' };
  assert.equal(await send(path, origin.port, { headers, body: 'anything' }), 200);
  assert.equal(
    await send(path, origin.port, { body: gzipSync(sample.token), headers: { 'content-encoding': 'gzip' } }),
    200,
  );
  const [first, second] = await path.events(2);
  assert.deepEqual(
    first?.leaks?.map(({ kind, place, action }) => [kind, place, action]),
    [
      ['credential', 'field', 'told'],
      ['unsearched', 'body', 'told'],
    ],
  );
  assert.deepEqual(second?.leaks, [{ kind: 'credential', name: 'deploy', place: 'body', action: 'told' }]);
  assert.equal(origin.received[0]?.headers['x-note'], sample.token);
});

test('redact puts asterisks in its place, and refuses where it cannot', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: redact }');
  const body = `{"note":"${sample.token}"}`;
  const stars = sample.token.replaceAll(/[A-Za-z0-9]/g, '*');
  assert.equal(await send(path, origin.port, { headers: { 'x-note': `n ${sample.token}` }, body }), 200);
  const [got] = origin.received;
  assert.equal(got?.body.toString(), `{"note":"${stars}"}`);
  assert.match(String(got?.headers['x-note']), /^n \*+$/);
  assert.equal(await send(path, origin.port, { path: `/${sample.token}` }), 403);
  assert.equal(await send(path, origin.port, { body, headers: { 'content-md5': 'x' } }), 403);
  assert.equal(
    await send(path, origin.port, { body: gzipSync(body), headers: { 'content-encoding': 'gzip' } }),
    403,
  );
});

test('what cannot be searched is refused by name', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: block }');
  const compressed = grpcMessage('anything');
  compressed[0] = 1;
  const cases: readonly Sent[] = [
    { body: 'x', headers: { 'content-encoding': 'deflate' } },
    { body: 'x', headers: { 'content-encoding': 'gzip' } },
    { body: 'x', headers: { 'content-type': 'text/plain; charset=utf-7' } },
    { body: compressed, headers: { 'content-type': 'application/grpc' } },
    {
      body: '--x\r\nContent-Encoding: gzip\r\n\r\nx\r\n--x--\r\n',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    },
  ];
  for (const [i, sent] of cases.entries()) assert.equal(await send(path, origin.port, sent), 403, String(i));
  for (const event of await path.events(cases.length)) assert.equal(event.leaks?.[0]?.kind, 'unsearched');
});

test('a body that is cut says how much of it had left', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: block }');
  const status = await send(path, origin.port, { body: `${'a'.repeat(300_000)}${sample.token}` });
  assert.equal(status, 403);
  const [event] = await path.events(1);
  const left = event?.requestBytes ?? 0;
  assert.ok(left > 0 && left < 300_000, String(left));
  assert.ok((origin.received[0]?.body.length ?? 0) <= left);
});

test('a session that tries too often is ended', async () => {
  await using origin = await openCollector();
  const ended: string[] = [];
  const leakLedger = new LeakLedger({
    limits: { leakMatchesMax: 3 },
    onExceeded: (sessionId, matches) => ended.push(`${sessionId} ${matches}`),
  });
  await using path = openPath(origin.port, '{ on: alert }', { leakLedger });
  for (const expected of [200, 200, 403]) {
    const headers = { 'x-note': sample.token };
    assert.equal(await send(path, origin.port, { headers }), expected);
  }
  assert.deepEqual(ended, ['session-alice 3']);
  // The session is still there for a moment: nothing that is searched goes out in it.
  assert.equal(await send(path, origin.port, {}), 403);
  leakLedger.forget('session-alice');
  assert.equal(await send(path, origin.port, {}), 200);
});

test('over HTTP/2 a body is cut, and the other streams of the connection go on', async () => {
  await using origin = await openCollector();
  await using path = openPath(origin.port, '{ on: block }');
  const socket = await path.tls(`${host}:${origin.port}`, { alpn: ['h2'] });
  const client = connectHttp2(`https://${host}:${origin.port}`, { createConnection: () => socket });
  const ask = async (body: string): Promise<number> => {
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    stream.on('error', () => undefined);
    stream.end(body);
    const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
    stream.resume();
    return headers[':status'];
  };
  const statuses = await Promise.all([ask('fine'), ask(`x ${sample.token}`), ask('fine too')]);
  assert.deepEqual(statuses, [200, 403, 200]);
  client.close();
});

test('what a program gives is searched for before anything was sent with it, and without it nothing is sent', async () => {
  await using origin = await openCollector();
  const printing = (text: string) => ({
    deploy: { kind: 'bearer', source: { command: ['/bin/echo', text] } } as const,
  });
  await using path = openPath(origin.port, '{ on: block }', { credentials: printing(sample.token) });
  assert.equal(await send(path, origin.port, { path: `/${sample.token}` }), 403);
  const [found] = await path.events(1);
  assert.equal(found?.leaks?.[0]?.name, 'deploy');
  const failing = { deploy: { kind: 'bearer', source: { command: ['/bin/false'] } } as const };
  await using without = openPath(origin.port, '{ on: block }', { credentials: failing });
  assert.equal(await send(without, origin.port, { path: '/a' }), 502);
  const [refused] = await without.events(1);
  assert.equal(refused?.failedCredential, 'deploy');
  assert.equal(origin.received.length, 0);
  for (const leaks of ['{ on: alert }', '{ on: block, find: [canary, shape] }']) {
    await using other = openPath(origin.port, leaks, { credentials: failing });
    assert.equal(await send(other, origin.port, { path: '/a' }), 200);
    const [told] = await other.events(1);
    assert.equal(told?.leaks?.[0]?.kind, leaks.includes('alert') ? 'unsearched' : undefined);
  }
});
