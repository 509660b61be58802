import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath, type RequestPath, underCeiling } from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'api.test';

/** An origin that sends back what it got, as JSON or as the path says. */
async function openEcho(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(authority.issue(host), (request, response) => {
    void text(request).then((body) => {
      const { 'content-length': length = 'none', 'content-encoding': coding = 'none' } = request.headers;
      response.writeHead(200, {
        'content-type': request.url === '/text' ? 'text/plain' : 'application/json',
        etag: '"1"',
        'x-got': `${length} ${coding}`,
        ...(request.url === '/coded' ? { 'content-encoding': 'gzip' } : {}),
      });
      response.end(request.url === '/broken' ? '{"email":"a@b.test",}' : body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function openPath(port: number, keys: string, ceiling?: string): RequestPath {
  return openRequestPath({
    ...(ceiling === undefined ? {} : { over: underCeiling(ceiling) }),
    policy: `rules:\n  - { name: api, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8, ${keys} }\n`,
    hosts: [host],
    trust: [authority.caPem],
  });
}

async function post(
  path: RequestPath,
  port: number,
  target: string,
  {
    body,
    headers = {},
  }: { readonly body: string | Buffer; readonly headers?: Readonly<Record<string, string>> },
) {
  const socket = await path.tls(`${host}:${port}`, { alpn: ['http/1.1'] });
  const fields = { 'content-type': 'application/json', ...headers };
  const asked = httpsRequest({
    createConnection: () => socket,
    host,
    port,
    path: target,
    method: 'POST',
    headers: fields,
  });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const got = await text(response);
  socket.destroy();
  return { status: response.statusCode, headers: response.headers, body: got };
}

test('fields of a request are set, dropped and redacted before it goes', async () => {
  await using origin = await openEcho();
  const rewrite = '{ request: { set: { /model: small }, drop: /user, redact: /messages/*/name } }';
  await using path = openPath(origin.port, `rewrite: ${rewrite}`);
  const body = JSON.stringify({ model: 'big', User: 'me', messages: [{ name: 'x', text: 'y' }] });
  const expected = '{"model":"small","messages":[{"name":"[redacted]","text":"y"}]}';
  for (const sent of [{ body }, { body: gzipSync(body), headers: { 'content-encoding': 'gzip' } }]) {
    const response = await post(path, origin.port, '/', sent);
    assert.equal(response.body, expected);
    assert.equal(response.headers['x-got'], `${expected.length} none`);
  }
  const [event] = await path.events(2);
  assert.deepEqual(event?.details, { requestRewritten: 3 });
  assert.equal(event?.requestBytes, expected.length);
});

test('what cannot be read is not let through, and a digest of the body refuses the change', async () => {
  await using origin = await openEcho();
  await using path = openPath(origin.port, 'rewrite: { request: { drop: /user } }');
  assert.equal((await post(path, origin.port, '/', { body: '{"user":1,"user":2}' })).status, 403);
  assert.equal(
    (await post(path, origin.port, '/', { body: 'a', headers: { 'content-type': 'text/plain' } })).status,
    403,
  );
  const headers = { 'content-digest': 'sha-256=:x:' };
  assert.equal((await post(path, origin.port, '/', { body: '{"user":1}', headers })).status, 403);
  assert.equal((await post(path, origin.port, '/', { body: '{"other":1}', headers })).status, 200);
});

test('what a rule makes of a body has to be what it allows', async () => {
  await using origin = await openEcho();
  await using path = openPath(
    origin.port,
    `when: 'json.model == "big"', rewrite: { request: { set: { /model: small } } }`,
  );
  assert.equal((await post(path, origin.port, '/', { body: '{"model":"big"}' })).status, 403);
});

test('what a rule makes of a body has to come to the same rule of a ceiling, whichever gives more', async () => {
  await using origin = await openEcho();
  const above = (big: string, small: string): string => {
    const to = `hosts: ${host}, ports: ${origin.port}, addresses: 127.0.0.0/8`;
    return `rules:
  - { name: big, ${to}, when: 'json.model == "big"'${big} }
  - { name: rest, ${to}${small} }
`;
  };
  const searched = ', leaks: { on: block }';
  for (const [big, small, status] of [
    ['', '', 200],
    ['', searched, 403],
    [searched, '', 403],
    [searched, searched, 200],
    [', limits: { bodyBytes: 1000 }', '', 403],
    ['', ', limits: { bodyBytes: 1000 }', 403],
  ] as const) {
    const rewrite = 'rewrite: { request: { set: { /model: small } } }';
    await using path = openPath(origin.port, rewrite, above(big, small));
    const { status: got, body } = await post(path, origin.port, '/', { body: '{"model":"big"}' });
    assert.equal(got, status, `${big} ${small}: ${body}`);
    if (status === 403) assert.match(body, /what rule api makes of the body is not what it allows/);
  }
});

test('fields of a response are changed, and what does not hold any more is left out', async () => {
  await using origin = await openEcho();
  await using path = openPath(origin.port, 'rewrite: { response: { redact: /email, drop: /token } }');
  const body = '{"email":"a@b.test","token":"t","n":1e400}';
  const changed = await post(path, origin.port, '/', { body });
  assert.equal(changed.body, '{"email":"[redacted]","n":1e400}');
  assert.equal(changed.headers['content-length'], String(changed.body.length));
  assert.equal(changed.headers.etag, undefined);
  const same = await post(path, origin.port, '/', { body: '{"a": 1}' });
  assert.deepEqual([same.body, same.headers.etag], ['{"a": 1}', '"1"']);
  assert.equal((await post(path, origin.port, '/text', { body })).body, body);
  assert.equal((await post(path, origin.port, '/broken', { body })).status, 502);
  assert.equal((await post(path, origin.port, '/coded', { body })).status, 502);
  const [event] = await path.events(1);
  assert.deepEqual(event?.details, { responseRewritten: 2 });
});
