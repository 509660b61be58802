// Requests as they should not be: each gets a problem with what to do, and nothing is done.

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { createConnection, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { adminRoutes } from '../../../src/api/admin/routes.ts';
import { listenOnSocket } from '../../../src/gateway/admin/admin-socket.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { problemType } from '../../../src/protocol/problem-document.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { event, openAdminScene, policyText, readOnThreads } from './admin-fixture.ts';

test('what is wrong with a request is said, with its place', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  const files = [{ name: 'p.yaml', text: 'rules: [{ name: x }]' }];
  for (const [method, path, body, status, text] of [
    ['GET', '/', undefined, 404, /no such path/],
    ['GET', '/v2/who', undefined, 404, /no such path/],
    ['GET', '/v1/who/', undefined, 404, /no such path/],
    ['GET', '/v1/sessions//revoke', undefined, 404, /no such path/],
    ['GET', '/v1/sessions/%zz', undefined, 404, /nothing of that id/],
    ['PUT', '/v1/who', undefined, 405, /takes GET there, not PUT/],
    ['PATCH', '/v1/tokens', undefined, 405, /takes GET and POST there/],
    ['GET', '/v1/who?x=1', undefined, 400, /takes no \\"x\\" in the query/],
    ['GET', '/v1/exchanges?hosts=x', undefined, 400, /takes no \\"hosts\\"/],
    ['GET', '/v1/exchanges?count=0', undefined, 400, /\\"count\\"/],
    ['GET', '/v1/exchanges?count=1e3', undefined, 400, /write a whole number from 1 to 1000/],
    ['GET', '/v1/exchanges?host=a&host=b', undefined, 400, /stands twice/],
    ['GET', '/v1/exchanges?since=yesterday', undefined, 400, /write a time such as/],
    ['GET', '/v1/exchanges?before=a&after=b', undefined, 400, /one of before and after/],
    ['GET', '/v1/exchanges?trace=xyz', undefined, 400, /hex digits/],
    ['GET', '/v1/exchanges/none', undefined, 404, /no event/],
    ['POST', '/v1/access/wish%20of%20red/grant', '{', 400, /not JSON/],
    ['POST', '/v1/access/wish%20of%20red/grant', {}, 400, /\\"seconds\\"/],
    ['POST', '/v1/access/wish%20of%20red/grant', { seconds: 60, secs: 1 }, 400, /takes no \\"secs\\"/],
    ['POST', '/v1/access/wish%20of%20red/grant', { seconds: 31_536_000 }, 400, /a grant holds at most/],
    ['POST', '/v1/access/wish%20of%20red/revoke', {}, 409, /is pending and cannot be revoked/],
    ['POST', '/v1/policy/explain', { method: 'GET', url: 'ftp://x/' }, 400, /not an http or https URL/],
    ['POST', '/v1/policy/explain', { method: 'GET', url: 'https://a/', files }, 400, /p\.yaml:1:/],
    ['DELETE', '/v1/tokens/none', undefined, 404, /no token/],
    ['DELETE', '/v1/tokens/none', '{}', 400, /takes no body/],
  ] as const) {
    const response = await scene.call(method, path, { token, body });
    assert.equal(response.status, status, `${method} ${path}: ${response.text}`);
    assert.match(response.text, text);
    assert.equal(response.headers['content-type'], problemType);
    assert.equal(response.headers['cache-control'], 'no-store');
  }
  assert.deepEqual(scene.audit.events, []);
  assert.deepEqual(scene.logged, []);
});

test('a body is JSON by its type, whole, and bounded', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('approver');
  const path = '/v1/access/wish%20of%20red/grant';
  const typed = await scene.call('POST', path, {
    token,
    body: '{"seconds":60}',
    headers: { 'content-type': 'text/plain' },
  });
  assert.deepEqual([typed.status, /application\/json/.test(typed.text)], [400, true]);
  const large = await scene
    .call('POST', path, { token, body: { seconds: 60, note: 'x'.repeat(9 << 20) } })
    .catch((error: NodeJS.ErrnoException) => error.code);
  // The rest of the body is not read: the response may come, or the connection be cut first.
  if (typeof large === 'object') assert.equal(large.status, 413);
  else assert.match(large ?? '', /EPIPE|ECONNRESET/);
  assert.equal((await scene.store.access.find('wish of red'))?.state, 'pending');
});

test('a page of a browser is refused, whatever it knows', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  for (const origin of ['http://localhost', 'null', 'https://admin.example.com']) {
    const response = await scene.call('GET', '/v1/who', { token, headers: { origin } });
    assert.equal(response.status, 403);
    assert.equal(response.headers['access-control-allow-origin'], undefined);
  }
});

test('the same response has the same ETag: it is not sent twice, and a write can rest on it', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('approver');
  const first = await scene.call('GET', '/v1/access/wish%20of%20red', { token });
  const etag = String(first.headers['etag']);
  const again = await scene.call('GET', '/v1/access/wish%20of%20red', {
    token,
    headers: { 'if-none-match': `"other", ${etag}` },
  });
  assert.deepEqual([again.status, again.text], [304, '']);
  const grant = (headers: Record<string, string>) =>
    scene.call('POST', '/v1/access/wish%20of%20red/grant', { token, body: { seconds: 60 }, headers });
  assert.equal((await grant({ 'if-match': '"other"' })).status, 409);
  assert.equal((await grant({ 'if-match': etag })).status, 200);
  // Somebody else granted it meanwhile.
  assert.equal((await grant({ 'if-match': etag })).status, 409);
  assert.deepEqual(scene.audit.actions, ['access_granted']);
});

test('a write with a key is done once, also when both are sent at once', async () => {
  await using scene = await openAdminScene();
  const [token, other] = [
    await scene.token('administrator'),
    await scene.token('administrator', { id: 'other', name: 'other' }),
  ];
  const make = (who: string, name: string) =>
    scene.call('POST', '/v1/tokens', {
      token: who,
      body: { name, role: 'viewer', seconds: 60 },
      headers: { 'idempotency-key': 'k1' },
    });
  const [a, b] = await Promise.all([make(token, 'ci'), make(token, 'ci')]);
  assert.deepEqual([a.status, a.text], [201, b.text]);
  assert.equal((await make(token, 'ci')).text, a.text);
  assert.equal((await make(token, 'another')).status, 400);
  // A key is who sent it's own.
  assert.notEqual((await make(other, 'ci')).text, a.text);
  assert.equal(scene.audit.actions.filter((one) => one === 'operator_token_made').length, 2);
});

test('what only asks is not remembered by its key', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const explain = (url: string) =>
    scene.call('POST', '/v1/policy/explain', {
      token,
      body: { method: 'GET', url },
      headers: { 'idempotency-key': 'k1' },
    });
  assert.equal((await explain('https://api.example.com/')).status, 200);
  assert.equal((await explain('https://b.example.com/')).status, 200);
});

test('so many policies of requests are read at once, and one that is read makes room', async () => {
  await using scene = await openAdminScene();
  readOnThreads(scene);
  const token = await scene.token('viewer');
  const check = () =>
    scene.call('POST', '/v1/policy/check', {
      token,
      body: { files: [{ name: 'p.yaml', text: policyText }] },
    });
  const max = defaultLimits.adminPolicyReadsMax;
  const responses = await Promise.all(Array.from({ length: max + 3 }, check));
  const refused = responses.filter(({ status }) => status === 429);
  assert.equal(refused.length, 3);
  assert.equal(refused[0]?.headers['retry-after'], '1');
  assert.deepEqual(new Set(scene.limits), new Set(['adminPolicyReadsMax']));
  assert.equal((await check()).status, 200);
});

test('what failed under a key is tried again', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('approver');
  const revoke = () =>
    scene.call('POST', '/v1/access/wish%20of%20red/revoke', {
      token,
      body: {},
      headers: { 'idempotency-key': 'k2' },
    });
  assert.equal((await revoke()).status, 409);
  await scene.call('POST', '/v1/access/wish%20of%20red/grant', { token, body: { seconds: 60 } });
  assert.equal((await revoke()).status, 200);
});

test('who did it stands in the audit, with what was before', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator', { id: 'id1', name: 'ada' });
  await scene.call('POST', '/v1/access/wish%20of%20red/grant', { token, body: { seconds: 60, note: 'ok' } });
  await scene.call('POST', '/v1/sessions/blue/revoke', { token, body: { reason: 'it was stolen' } });
  const [granted, revoked] = scene.audit.events;
  assert.deepEqual(granted?.details, {
    id: 'wish of red',
    operator: 'ada (token id1)',
    was: 'pending',
    note: 'ok',
  });
  assert.deepEqual(revoked?.details, { operator: 'ada (token id1)' });
  assert.match(revoked?.message ?? '', /it was stolen/);
  assert.equal((await scene.store.sessions.find('blue'))?.state, 'revoked');
});

test('no value of a credential and no digest of a token is ever given', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('administrator');
  for (const path of ['/v1/credentials', '/v1/tokens', '/v1/who', '/v1/limits', '/v1/openapi.json']) {
    const { text } = await scene.call('GET', path, { token });
    assert.doesNotMatch(text, /NEVER_SHOWN|upadm_[A-Za-z0-9_-]{43}/);
    // The description of the API knows digests of packages.
    if (path !== '/v1/openapi.json') assert.doesNotMatch(text, /"digest"/);
  }
});

test('generated requests get a response that says what is wrong, and never one of a fault', async () => {
  await using scene = await openAdminScene();
  await scene.append([event('e1')]);
  const token = await scene.token('administrator');
  const segment = fc.oneof(
    fc.constantFrom(
      'v1',
      'exchanges',
      'follow',
      'sessions',
      'red',
      'access',
      'grant',
      'tokens',
      '..',
      '%2e%2e',
    ),
    fc.string({ maxLength: 8 }).map(encodeURIComponent),
  );
  const known = fc.constantFrom(...Object.values(adminRoutes).map(({ path }) => path.replace('{id}', 'red')));
  const path = fc.oneof(
    known,
    fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
  );
  const query = fc
    .array(
      fc.tuple(fc.constantFrom('count', 'host', 'trace', 'after', 'state', 'x'), fc.string({ maxLength: 6 })),
      {
        maxLength: 3,
      },
    )
    .map((pairs) => new URLSearchParams(pairs as [string, string][]).toString());
  const body = fc.option(fc.oneof(fc.json({ maxDepth: 2 }), fc.string({ maxLength: 20 })), {
    nil: undefined,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'DELETE'),
      path,
      query,
      body,
      async (method, at, search, sent) => {
        const target = `${at}${search === '' ? '' : `?${search}`}`;
        // A stream that follows does not end.
        if (at === '/v1/exchanges/follow') return;
        const response = await scene.call(method, target, { token, body: sent });
        assert.ok(response.status < 500, `${method} ${target}: ${response.text}`);
        if (response.status >= 400) assert.equal(response.headers['content-type'], problemType);
      },
    ),
    { seed: 17, numRuns: 400 },
  );
  assert.deepEqual(scene.logged, []);
});

test('bytes that are no HTTP end their connection and nothing else', async () => {
  await using scene = await openAdminScene();
  for (const bytes of [
    '\0\0\0',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    `GET /${'x'.repeat(40_000)} HTTP/1.1\r\n`,
  ]) {
    const socket = createConnection(scene.socket);
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(bytes);
    await once(socket, 'close');
  }
  assert.equal((await scene.call('GET', '/v1/who', { token: await scene.token('viewer') })).status, 200);
});

test('the socket is in a folder that nobody else may enter', async () => {
  await using scene = await openAdminScene();
  const [folder, socket] = await Promise.all([stat(dirname(scene.socket)), stat(scene.socket)]);
  assert.deepEqual([folder.mode & 0o777, socket.mode & 0o777], [0o700, 0o600]);
});

test('what stands at its place is looked at before it is taken', async () => {
  await withTemporaryDirectory(async (directory) => {
    const attempt = async (path: string): Promise<string> => {
      const server = createServer();
      try {
        await listenOnSocket(server, path);
        return 'listens';
      } catch (error) {
        return (error as Error).message;
      } finally {
        server.close();
      }
    };
    const open = join(directory, 'open');
    await mkdir(open);
    await chmod(open, 0o755);
    assert.match(await attempt(join(open, 'admin.sock')), /others may enter/);
    assert.deepEqual(await readdir(open), []);
    const file = join(directory, 'file');
    await writeFile(file, 'mine');
    assert.match(await attempt(file), /something else has this name/);
    assert.match(await attempt(join(directory, 'x'.repeat(110))), /more than 107 bytes/);
    const served = join(directory, 'served');
    const server = createServer();
    await listenOnSocket(server, served);
    assert.match(await attempt(served), /another gateway serves it/);
    server.close();
    await once(server, 'close');
    // One that a killed gateway left.
    const left = join(directory, 'left');
    const child = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
    const { spawnSync } = await import('node:child_process');
    spawnSync(process.execPath, ['-e', child]);
    assert.equal((await stat(left)).isSocket(), true);
    assert.equal(await attempt(left), 'listens');
  });
});

test('requests over a connection that is kept leave nothing behind at it', async () => {
  await using scene = await openAdminScene();
  const headers = { host: 'localhost', authorization: `Bearer ${await scene.token('viewer')}` };
  const sockets: Socket[] = [];
  const onSocket = (message: unknown): void => {
    sockets.push((message as { readonly socket: Socket }).socket);
  };
  subscribe('net.server.socket', onSocket);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path: string): Promise<void> => {
    const asked = request({ socketPath: scene.socket, path, agent, headers });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
  };
  try {
    await ask('/v1/who');
    const [socket] = sockets;
    const before = socket?.listenerCount('close');
    for (let count = 0; count < 300; count++) await ask('/v1/who');
    assert.equal(sockets.length, 1);
    assert.equal(socket?.listenerCount('close'), before);
  } finally {
    unsubscribe('net.server.socket', onSocket);
    agent.destroy();
  }
});
