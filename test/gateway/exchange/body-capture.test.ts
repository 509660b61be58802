// What rules have kept of bodies, through the whole request path.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect } from 'node:http2';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CapturedBodies } from '../../../src/gateway/captured/captured-bodies.ts';
import type { CapturedExchange } from '../../../src/gateway/captured/captured-exchange.ts';
import { keyFromText } from '../../../src/gateway/captured/day-keys.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const authority = createTestAuthority();
const canary = 'canary-81bb-captured-value';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  /** What was kept of the event that came as that one. */
  kept(at: number): Promise<CapturedExchange | undefined>;
  post(body: string, ...fields: readonly string[]): Promise<string>;
}

async function openScene(
  rule: string,
  handler: RequestListener,
  options: Partial<RequestPathOptions> = {},
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory());
  const origin = stack.use(await httpsOrigin({ authority, handler }));
  const captured = stack.use(
    new CapturedBodies({
      directory: join(folder.path, 'captured'),
      keepDays: 7,
      keepBytes: 1024 ** 3,
      gatewayKey: () => Promise.resolve(keyFromText(randomBytes(32).toString('hex'))),
      clock: Date.now,
      onLimit: () => undefined,
      onFault: (error) => assert.fail(error),
    }),
  );
  const policy = `
rules:
  - name: kept
    hosts: allowed.test
    ports: ${origin.port}
    addresses: 127.0.0.0/8
${rule}`;
  const hosts = ['allowed.test'];
  const path = stack.use(openRequestPath({ policy, hosts, trust: [authority.caPem], captured, ...options }));
  const at = `allowed.test:${origin.port}`;
  const owned = stack.move();
  return {
    path,
    at,
    kept: async (index) => {
      const events = await path.events(index + 1);
      return await captured.read(events[index]!.id);
    },
    post: async (body, ...fields) => {
      const length = `Content-Length: ${Buffer.byteLength(body)}`;
      const head = get(at, '/', length, ...fields).replace('GET', 'POST');
      return (await sendRaw(await path.tls(at), head + body)).body;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const capture = (more = ''): string => `    capture: { bodies: true${more} }\n`;
const echo: RequestListener = (request, response) => {
  response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'text/plain' });
  request.pipe(response);
};

function text(body: CapturedExchange['request']): string {
  return Buffer.from(body?.bytes ?? []).toString();
}

test('both bodies are kept as they were sent, and the event says how much', async () => {
  await using scene = await openScene(capture(), echo);
  await scene.post('{"a":1}', 'Content-Type: application/json');
  const kept = await scene.kept(0);
  const said = { type: 'application/json', coding: undefined, isWhole: true, redacted: 0 };
  for (const body of [kept?.request, kept?.response]) {
    assert.equal(text(body), '{"a":1}');
    assert.deepEqual(
      { ...body, bytes: undefined },
      JSON.parse(JSON.stringify(said)) === undefined
        ? {}
        : { type: said.type, isWhole: true, redacted: 0, bytes: undefined },
    );
  }
  assert.deepEqual((await scene.path.events(1))[0]?.captured, {
    request: 7,
    response: 7,
    machine: hostname(),
  });
});

test('what comes for a request to switch to WebSocket is kept as well, where nothing switches', async () => {
  await using scene = await openScene(capture(), (_, response) => {
    response.setHeader('connection', 'close').end('served');
  });
  const fields = [
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const asked = get(scene.at, '/', ...fields).replace('Connection: close', 'Connection: Upgrade, close');
  assert.match((await sendRaw(await scene.path.tls(scene.at), asked)).body, /served/);
  assert.equal(text((await scene.kept(0))?.response), 'served');
});

test('without a rule that asks for it nothing is kept, nor of what is denied, nor where there is no body', async () => {
  await using plain = await openScene('', echo);
  await plain.post('x');
  assert.equal(await plain.kept(0), undefined);
  assert.equal((await plain.path.events(1))[0]?.captured, undefined);
  await using scene = await openScene(capture() + '    methods: [POST, HEAD]\n', (_, response) =>
    response.end(),
  );
  await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/', 'Content-Length: 1') + 'x');
  await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/').replace('GET', 'HEAD'));
  assert.deepEqual([await scene.kept(0), await scene.kept(1)], [undefined, undefined]);
});

test('only the beginning is kept, and all of it passes', async () => {
  await using scene = await openScene(capture(', bytesMax: 1 kB'), echo);
  const body = 'x'.repeat(300_000);
  assert.equal((await scene.post(body)).length > 300_000 - 1, true);
  const kept = await scene.kept(0);
  for (const one of [kept?.request, kept?.response]) {
    assert.equal(one?.bytes.length, 1000);
    assert.equal(one.isWhole, false);
  }
});

test('an injected value is in nothing that is kept, whoever says it and wherever it is cut off', async () => {
  const credentials = { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } } as const;
  const options = { credentials, environment: { API_TOKEN: canary } };
  const at = 1000;
  const rule = `${capture(`, bytesMax: ${at}`)}    inject: api\n    scrub: { quietMs: 20 }\n`;
  await using scene = await openScene(
    rule,
    (request, response) => {
      const value = request.headers.authorization ?? '';
      request.resume();
      response.write(`you sent ${value.slice(0, 20)}`);
      // In two pieces with a pause: the rule lets the first one go.
      setTimeout(() => response.end(`${value.slice(20)}${'y'.repeat(930)}${value}`), 200);
    },
    options,
  );
  // The workload says the value too, across the bound.
  await scene.post(`${'x'.repeat(at - 10)}${canary}`);
  const kept = await scene.kept(0);
  const all = text(kept?.request) + text(kept?.response);
  assert.ok(text(kept?.response).startsWith('you sent Bearer ***'), text(kept?.response).slice(0, 60));
  for (let length = 4; length <= canary.length; length += 1)
    assert.equal(all.includes(canary.slice(0, length)), false, canary.slice(0, length));
  assert.equal(text(kept?.request).length, at);
});

test('what the gateway writes into a body is not kept: the placeholder is', async () => {
  const credentials = {
    api: { kind: 'placeholder', placeholder: { env: 'KEY' }, source: { env: 'API_TOKEN' }, in: 'body' },
  } as unknown as RequestPathOptions['credentials'];
  const options = { credentials: credentials!, environment: { API_TOKEN: canary } };
  let seen = '';
  await using scene = await openScene(
    `${capture()}    inject: api\n`,
    (request, response) => {
      request.setEncoding('utf8').on('data', (piece: string) => (seen += piece));
      request.on('end', () => response.end('ok'));
    },
    options,
  );
  await scene.post('key=upstreamproxy-placeholder-api', 'Content-Type: application/x-www-form-urlencoded');
  const kept = await scene.kept(0);
  assert.equal(text(kept?.request).includes(canary), false);
  assert.match(seen, /^key=/);
});

test('values are left out by name, and a body in which they cannot be found is not kept', async () => {
  await using scene = await openScene(capture(', redact: password'), echo);
  await scene.post('{"password":"x"}', 'Content-Type: application/json');
  await scene.post('password=x', 'Content-Type: text/plain');
  await scene.post(
    gzipSync('{"password":"x"}').toString('latin1'),
    'Content-Type: application/json',
    'Content-Encoding: gzip',
  );
  assert.equal(text((await scene.kept(0))?.response), '{"password":"[redacted]"}');
  for (const index of [1, 2]) {
    const kept = await scene.kept(index);
    assert.deepEqual([text(kept?.request), kept?.request?.isWithheld], ['', true]);
  }
});

test('an exchange that breaks off, or never ends, leaves what passed, and gives its room back', async () => {
  const { promise: open, resolve: opened } = Promise.withResolvers<void>();
  await using scene = await openScene(capture(), (request, response) => {
    request.resume();
    response.write('the beginning');
    opened();
    if (request.url === '/broken') setTimeout(() => response.destroy(), 50);
  });
  const socket = await scene.path.tls(scene.at);
  socket.write(get(scene.at, '/slow'));
  await Promise.all([open, once(socket, 'data')]);
  socket.destroy();
  await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/broken')).catch(() => undefined);
  for (const index of [0, 1]) {
    const kept = await scene.kept(index);
    assert.deepEqual([text(kept?.response), kept?.response?.isWhole], ['the beginning', false]);
  }
  assert.equal(scene.path.parts.held.ofSession('session-alice'), 0);
});

test('a session that has no room left is served, and less is kept', async () => {
  await using scene = await openScene(capture(', bytesMax: 1 MiB'), echo, {
    limits: { heldOctetsPerSessionMax: 600 * 1024 },
  });
  const body = 'x'.repeat(900_000);
  assert.ok((await scene.post(body)).length >= 900_000);
  const kept = await scene.kept(0);
  assert.ok((kept?.request?.bytes.length ?? 0) < 900_000);
  assert.equal(kept?.request?.isWhole, false);
});

test('the same over HTTP/2', async () => {
  await using scene = await openScene(capture(), echo);
  const socket = await scene.path.tls(scene.at, { alpn: ['h2'] });
  const session = connect(`https://${scene.at}`, { createConnection: () => socket });
  const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'text/x' });
  stream.end('over two');
  stream.resume();
  await once(stream, 'end');
  session.destroy();
  const kept = await scene.kept(0);
  assert.deepEqual(
    [text(kept?.request), text(kept?.response), kept?.response?.isWhole],
    ['over two', 'over two', true],
  );
});
