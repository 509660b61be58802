import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { ProxyError } from '../../../src/protocol/error.ts';
import { httpOrigin, httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath, RequestPathOptions } from '../support/request-path.ts';

const authority = createTestAuthority();
const canary = 'canary-7d1f-exchange';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly origin: Awaited<ReturnType<typeof httpsOrigin>>;
  readonly at: string;
}

async function openScene(
  rules: (port: number) => string,
  options: Partial<RequestPathOptions> = {},
  handler?: Parameters<typeof httpsOrigin>[0]['handler'],
): Promise<Scene> {
  const origin = await httpsOrigin({ authority, ...(handler === undefined ? {} : { handler }) });
  const path = openRequestPath({
    policy: rules(origin.port),
    hosts: ['allowed.test', 'other.test'],
    trust: [authority.caPem],
    ...options,
  });
  return {
    path,
    origin,
    at: `allowed.test:${origin.port}`,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

const allow = (port: number, more = ''): string => `
rules:
  - name: allowed
    hosts: allowed.test
    ports: ${port}
    addresses: 127.0.0.0/8
${more}`;

test('an allowed request reaches the origin and leaves one event that says what the origin saw', async () => {
  await using scene = await openScene(allow);
  const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/echo?a=1'));
  assert.equal(response.status, 200);
  const [event] = await scene.path.events(1);
  const [seen] = scene.origin.requests;
  assert.equal(event?.verdict, 'allow');
  assert.equal(event.rule, 'allowed');
  assert.equal(event.method, seen?.method);
  assert.equal(event.path, seen?.target);
  assert.equal(event.host, 'allowed.test');
  assert.equal(event.status, 200);
  assert.equal(event.address, '127.0.0.1');
  assert.equal(scene.path.audit.length, 1);
  assert.equal(seen?.servername, 'allowed.test');
});

test('a denied host is never dialled, and the denial is said inside TLS', async () => {
  await using scene = await openScene(allow);
  const at = `other.test:${scene.origin.port}`;
  const response = await sendRaw(await scene.path.tls(at), get(at, '/'));
  assert.equal(response.status, 403);
  assert.equal(response.headers.get('x-deny-reason'), 'policy_denied');
  assert.match(response.body, /other\.test/);
  assert.match(response.body, /rule: default-deny/);
  const [event] = await scene.path.events(1);
  assert.equal(event?.verdict, 'deny');
  assert.equal(event.rule, 'default-deny');
  assert.ok(response.body.includes(event.traceId));
  assert.equal(scene.origin.connections(), 0);
});

test('a private address is refused unless the admitting rule opens it, and the workload does not learn it', async () => {
  await using scene = await openScene(
    (port) => `
rules:
  - name: closed
    hosts: allowed.test
    ports: ${port}
`,
  );
  const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
  assert.equal(response.status, 403);
  assert.equal(response.headers.get('x-deny-reason'), 'address_denied');
  assert.equal(response.body.includes('127.0.0.1'), false);
  assert.equal(scene.origin.connections(), 0);
  const [event] = await scene.path.events(1);
  assert.match(JSON.stringify(event), /127\.0\.0\.1/);
});

test('the audit tells a credential that the rule has from one that was put on the request', async () => {
  const credentials = {
    key: { kind: 'placeholder', placeholder: { env: 'KEY' }, source: { env: 'API_TOKEN' } },
  } as const;
  const options = { credentials, environment: { API_TOKEN: canary } };
  await using scene = await openScene((port) => allow(port, '    inject: key\n'), options);
  for (const field of ['X-Key: upstreamproxy-placeholder-key', 'X-Key: none'])
    await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/', field));
  const events = await scene.path.events(2);
  assert.deepEqual(
    events.map(({ injected, offered }) => ({ injected, offered })),
    [
      { injected: ['key'], offered: undefined },
      { injected: [], offered: ['key'] },
    ],
  );
});

test('a credential is put on the request of its rule and is in nothing that the workload or the audit gets', async () => {
  const policy = (port: number): string =>
    allow(port, '    inject: api\n    paths: /auth\n') +
    `
  - name: plain
    hosts: allowed.test
    ports: ${port}
    addresses: 127.0.0.0/8
`;
  const credentials = { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } } as const;
  const options = { credentials, environment: { API_TOKEN: canary } };
  await using scene = await openScene(policy, options, (request, response) => {
    response.setHeader('x-reflected', request.headers.authorization ?? 'none');
    response.end(`you sent ${request.headers.authorization ?? 'none'}`);
  });
  const withIt = await sendRaw(
    await scene.path.tls(scene.at),
    get(scene.at, '/auth', 'Authorization: Bearer own'),
  );
  assert.equal(scene.origin.requests[0]?.headers.authorization, `Bearer ${canary}`);
  assert.match(withIt.body, /you sent Bearer \*+$/);
  assert.equal(`${withIt.head}${withIt.body}`.includes(canary), false);
  const without = await sendRaw(
    await scene.path.tls(scene.at),
    get(scene.at, '/other', 'Authorization: Bearer own'),
  );
  assert.equal(without.body, 'you sent Bearer own');
  const events = await scene.path.events(2);
  assert.deepEqual(
    events.map((event) => event.injected),
    [['api'], []],
  );
  assert.equal(JSON.stringify(events).includes(canary), false);
});

test('an encoded response to a credentialed request does not pass, because it cannot be searched', async () => {
  const credentials = { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } } as const;
  const options = { credentials, environment: { API_TOKEN: canary } };
  await using scene = await openScene(
    (port) => allow(port, '    inject: api\n'),
    options,
    (request, response) => {
      assert.equal(request.headers['accept-encoding'], 'identity');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('not really');
    },
  );
  const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/', 'Accept-Encoding: gzip'));
  assert.equal(response.status, 502);
  assert.equal(response.headers.get('x-deny-reason'), 'origin_malformed');
});

test('a part of a response cannot be asked for with a credential, since half a secret would not be found', async () => {
  const credentials = { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } } as const;
  const policy = (port: number): string =>
    allow(port, '    inject: api\n    paths: /with\n') +
    `  - { name: plain, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`;
  await using scene = await openScene(policy, { credentials, environment: { API_TOKEN: canary } });
  for (const path of ['/with', '/without'])
    await sendRaw(await scene.path.tls(scene.at), get(scene.at, path, 'Range: bytes=0-3\r\nIf-Range: "x"'));
  assert.deepEqual(
    scene.origin.requests.map(({ headers }) => [headers.range, headers['if-range']]),
    [
      [undefined, undefined],
      ['bytes=0-3', '"x"'],
    ],
  );
});

test('a name in TLS other than that of CONNECT gets an alert, and audit says both', async () => {
  await using scene = await openScene(allow);
  await assert.rejects(scene.path.tls(scene.at, { servername: 'evil.test' }), {
    code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
  });
  const [event] = await scene.path.events(1);
  assert.equal(event?.errorCode, 'authority_mismatch');
  assert.deepEqual(event.claimed, { connect: 'allowed.test', sni: 'evil.test' });
  assert.equal(scene.origin.connections(), 0);
});

test('a Host other than the destination gets a response 421 and nothing is dialled', async () => {
  await using scene = await openScene(allow);
  const response = await sendRaw(await scene.path.tls(scene.at), get('evil.test', '/'));
  assert.equal(response.status, 421);
  assert.equal(scene.origin.connections(), 0);
  const [event] = await scene.path.events(1);
  assert.equal(event?.verdict, 'deny');
  assert.match(JSON.stringify(event), /evil\.test/);
});

test('bytes that are not HTTP get one clear response and one event', async () => {
  await using scene = await openScene(allow);
  const response = await sendRaw(await scene.path.tls(scene.at), 'GET / HTTP/1.1\r\nbad header\r\n\r\n');
  assert.equal(response.status, 400);
  assert.equal(response.headers.get('x-deny-reason'), 'request_malformed');
  assert.equal((await scene.path.events(1)).length, 1);
});

test('a response that breaks off is a broken connection for the client, never a complete response', async () => {
  await using scene = await openScene(allow);
  for (const version of ['1.0', '1.1']) {
    const socket = await scene.path.tls(scene.at);
    socket.write(`GET /cut HTTP/${version}\r\nHost: ${scene.at}\r\nConnection: close\r\n\r\n`);
    let ended = false;
    socket.once('end', () => (ended = true));
    socket.resume();
    // Not `once`: the error before it is what is wanted here.
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(ended, false, `HTTP/${version} saw a clean end`);
  }
  const events = await scene.path.events(2);
  assert.deepEqual(
    events.map((event) => event.errorCode),
    ['origin_truncated', 'origin_truncated'],
  );
});

test('a client that shuts its side down after the request still gets the response', async () => {
  await using scene = await openScene(allow);
  const socket = await scene.path.tls(scene.at);
  socket.end(`GET /hello HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  assert.match(Buffer.concat(chunks).toString(), /hello\n/);
});

test('requests follow one another on one connection, bodies of both framings arrive whole', async () => {
  await using scene = await openScene(allow);
  const socket = await scene.path.tls(scene.at);
  const body = 'x'.repeat(100_000);
  socket.write(`POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  socket.write(
    `POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  );
  const response = await sendRaw(socket, get(scene.at, '/hello'));
  assert.match(response.body, /hello\n\r\n0\r\n\r\n$/);
  // Requests that are sent before the responses to earlier ones are forwarded side by side.
  const bySize = (sizes: readonly (number | undefined)[]): (number | undefined)[] =>
    sizes.toSorted((a = 0, b = 0) => b - a);
  assert.deepEqual(bySize(scene.origin.requests.map((seen) => seen.bodyBytes)), [100_000, 5, 0]);
  const events = await scene.path.events(3);
  assert.deepEqual(bySize(events.map((event) => event.requestBytes)), [100_000, 5, 0]);
});

test('Expect: 100-continue gets a response from the gateway once the request is admitted, and not if it is refused', async () => {
  await using scene = await openScene(allow);
  const ask = (at: string): string =>
    `POST /sink HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
  const socket = await scene.path.tls(scene.at);
  socket.write(ask(scene.at));
  const [first] = (await once(socket, 'data')) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1\.1 100 /);
  assert.equal((await sendRaw(socket, 'abc')).status, 200);
  const other = `other.test:${scene.origin.port}`;
  assert.equal((await sendRaw(await scene.path.tls(other), ask(other))).status, 403);
});

test('plain HTTP inside CONNECT is judged as http: a rule for https does not let it out', async () => {
  await using origin = await httpOrigin({});
  const at = `allowed.test:${origin.port}`;
  for (const [scheme, status] of [
    ['http', 200],
    ['https', 403],
  ] as const) {
    await using path = openRequestPath({
      policy: allow(origin.port, `    scheme: ${scheme}\n`),
      hosts: ['allowed.test'],
      trust: [],
    });
    const { socket } = path.open({ authority: at, mode: 'raw' });
    assert.equal((await sendRaw(socket, get(at, `/hello?${scheme}`))).status, status);
    const [event] = await path.events(1);
    assert.deepEqual([event?.scheme, event?.protocol], ['http', 'http/1.1 cleartext']);
  }
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/hello?http'],
  );
});

test('an absolute-form proxy connection serves each request by its own URL', async () => {
  await using origin = await httpOrigin({});
  const path = openRequestPath({
    policy: `
rules:
  - name: cleartext
    hosts: allowed.test
    scheme: http
    ports: ${origin.port}
    addresses: 127.0.0.0/8
`,
    hosts: ['allowed.test'],
    trust: [],
  });
  await using _path = path;
  const { socket } = path.open({ authority: '', mode: 'proxy' });
  const response = await sendRaw(
    socket,
    `GET http://allowed.test:${origin.port}/hello HTTP/1.1\r\nHost: allowed.test:${origin.port}\r\nProxy-Connection: keep-alive\r\n\r\n` +
      `GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n`,
  );
  assert.equal(response.status, 200);
  assert.match(response.body, /hello\n\r\n0\r\n\r\nHTTP\/1\.1 403 /);
  assert.equal(origin.requests[0]?.rawHeaders.includes('Proxy-Connection'), false);
  assert.deepEqual((await path.events(2)).map((event) => event.verdict).toSorted(), ['allow', 'deny']);
});

test('a body over the limit of the rule is refused by its declared length and while it streams', async () => {
  await using scene = await openScene((port) => allow(port, '    limits: { bodyBytes: 10 }\n'));
  const declared = await sendRaw(
    await scene.path.tls(scene.at),
    `POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nConnection: close\r\nContent-Length: 11\r\n\r\n12345678901`,
  );
  assert.equal(declared.status, 413);
  assert.equal(scene.origin.connections(), 0);
  const streamed = await sendRaw(
    await scene.path.tls(scene.at),
    `POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n`,
  );
  assert.equal(streamed.status, 413);
});

test('without a healthy audit nothing is forwarded', async () => {
  await using scene = await openScene(allow);
  Object.assign(scene.path.parts.audit, { healthy: false });
  const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
  assert.equal(response.status, 503);
  assert.equal(scene.origin.connections(), 0);
});

test('a request waits until the store has caught up with its session, and goes on then', async () => {
  await using scene = await openScene(allow);
  const caughtUp = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<string>();
  const room = (sessionId: string): Promise<void> => {
    asked.resolve(sessionId);
    return caughtUp.promise;
  };
  Object.assign(scene.path.parts.audit, { room });
  const response = sendRaw(await scene.path.tls(scene.at), get(scene.at, '/hello'));
  assert.notEqual(await asked.promise, '');
  await nextTurn();
  assert.equal(scene.origin.connections(), 0);
  caughtUp.resolve();
  assert.equal((await response).status, 200);
});

test('what was asked before a wait for the store is asked again behind it: then nothing is forwarded, and the refusal has its event', async () => {
  const overRate = new ProxyError('limit_exceeded', 'too much', { limit: 'auditQueueEventsMax' });
  const changes = [
    { change: { healthy: false }, status: 503, errorCode: 'audit_unavailable' },
    { change: { overRate: () => overRate }, status: 429, errorCode: 'limit_exceeded' },
  ];
  for (const { change, status, errorCode } of changes) {
    await using scene = await openScene(allow);
    const caughtUp = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const room = (): Promise<void> => {
      asked.resolve();
      return caughtUp.promise;
    };
    Object.assign(scene.path.parts.audit, { room });
    const response = sendRaw(await scene.path.tls(scene.at), get(scene.at, '/hello'));
    await asked.promise;
    Object.assign(scene.path.parts.audit, change);
    caughtUp.resolve();
    assert.equal((await response).status, status);
    assert.equal(scene.origin.connections(), 0);
    const [event] = await scene.path.events(1);
    assert.equal(event?.errorCode, errorCode);
  }
});

test('a rule with a rate responses 429 with retry-after, and another session is not touched', async () => {
  await using scene = await openScene((port) => allow(port, '    limits: { requestsPerSecond: 0.01 }\n'));
  const ask = async (principal: string): ReturnType<typeof sendRaw> =>
    sendRaw(await scene.path.tls(scene.at, { principal }), get(scene.at, '/hello'));
  assert.equal((await ask('alice')).status, 200);
  const refused = await ask('alice');
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/);
  assert.equal((await ask('bob')).status, 200);
});

test('a session that has used up the bytes of a rule gets a broken response, then a refusal', async () => {
  await using scene = await openScene((port) => allow(port, '    limits: { bytesPerSession: 100000 }\n'));
  const socket = await scene.path.tls(scene.at);
  socket.write(get(scene.at, '/bytes/200000'));
  let received = 0;
  socket.on('data', (chunk: Buffer) => (received += chunk.length));
  await new Promise((resolve) => socket.once('close', resolve));
  assert.ok(received < 110_000, `${received} bytes arrived`);
  const next = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/hello'));
  assert.equal(next.status, 429);
});

test('a small chunked response leaves in one piece, its end too', async () => {
  const handler: Parameters<typeof httpsOrigin>[0]['handler'] = (_request, response) => {
    response.writeHead(200, { connection: 'keep-alive', 'transfer-encoding': 'chunked' });
    response.end('hello');
  };
  await using scene = await openScene(allow, {}, handler);
  const client = await scene.path.tls(scene.at);
  client.write(`GET / HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  const [piece] = (await once(client, 'data')) as [Buffer];
  assert.match(piece.toString(), /^HTTP\/1\.1 200 [^]*\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
  client.destroy();
});
