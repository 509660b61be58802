// The library against a server that lies, and against the admin API itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { z } from 'zod';
import { Admin, AdminError, openAdmin, ProxyError } from '../../src/admin/admin.ts';
import { AdminCalls } from '../../src/admin/admin-calls.ts';
import type { AdminRoute } from '../../src/api/admin/route.ts';
import { adminRoutes } from '../../src/api/admin/routes.ts';
import { tokenKeyOf } from '../../src/gateway/sessions/session-token.ts';
import { withdrawnToken } from '../../src/store/store.ts';
import { newSession } from '../conformance/new-session.ts';
import { event, openAdminScene, type AdminScene } from '../gateway/admin/admin-fixture.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { anyToken, lyingServer, sendJson, sendProblem } from './lying-server.ts';

const who = { name: 'ada', role: 'viewer', by: 'token' };

async function faultOf(promise: Promise<unknown>): Promise<AdminError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AdminError, inspect(error));
  return error;
}

async function openAt(
  scene: AdminScene,
  role: 'viewer' | 'approver' | 'operator' | 'administrator',
): Promise<Admin> {
  return await openAdmin({ socket: scene.socket, token: await scene.token(role) });
}

test('a write that fails in passing is sent again with the same key, and another call has another one', async () => {
  await using server = await lyingServer((response, _, n) => {
    if (n < 2) sendProblem(response, { status: 503, code: 'shutting_down' });
    else
      sendJson(
        response,
        { token: 't', id: 'i', principal: 'p', expires: '2030-01-01T00:00:00.000Z' },
        { status: 201 },
      );
  });
  await using admin = await server.open();
  const issued = await admin.issueToken({ subject: 'build-17' });
  assert.equal(issued.token.reveal(), 't');
  assert.ok(!inspect(issued).includes("'t'") && !JSON.stringify(issued).includes('"t"'));
  await admin.issueToken({ subject: 'build-18' });
  const keys = server.asked.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 4);
  assert.deepEqual([keys[1], keys[2]], [keys[0], keys[0]]);
  assert.notEqual(keys[3], keys[0]);
});

test('tries are bounded, and what stays wrong is not tried again', async () => {
  await using server = await lyingServer((response, { url }) => {
    if (url === '/v1/who')
      sendProblem(response, { status: 429, code: 'limit_exceeded', fields: { 'retry-after': '0' } });
    else sendProblem(response, { status: 403, code: 'operator_refused' });
  });
  await using admin = await server.open();
  const passing = await faultOf(admin.api.who());
  assert.deepEqual(
    [passing.code, passing.status, passing.operation, passing.traceId],
    ['limit_exceeded', 429, 'who', 'a'.repeat(32)],
  );
  assert.equal(server.asked.length, 5);
  const refused = await faultOf(admin.api.health());
  assert.deepEqual(
    [refused.code, refused.isPassing, refused.server],
    ['operator_refused', false, `http://127.0.0.1:${server.port}`],
  );
  assert.match(refused.advice, /role/);
  assert.equal(server.asked.length, 6);
});

test('a Retry-After that the deadline has no time for is told at once', async () => {
  for (const after of ['1000000000', '999999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT']) {
    await using server = await lyingServer((response) =>
      sendProblem(response, { status: 503, code: 'shutting_down', fields: { 'retry-after': after } }),
    );
    await using admin = await server.open();
    const fault = await faultOf(admin.api.who());
    assert.ok((fault.retryAfterSeconds ?? 0) >= 1e9, after);
    assert.equal(server.asked.length, 1);
  }
});

test('what is no response of the API is refused, whatever its status says', async () => {
  const cases: Readonly<Record<string, (response: import('node:http').ServerResponse) => void>> = {
    'a page': (response) => sendJson(response, who, { type: 'text/html' }),
    'cut JSON': (response) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end('{"name":"a'),
    'another form': (response) => sendJson(response, { ...who, role: 'emperor' }),
    'a list': (response) => sendJson(response, []),
    'an empty body': (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(),
    'a redirect': (response) =>
      void response.writeHead(307, { location: 'https://thief.example.com/v1/who' }).end(),
    'a page that says no': (response) =>
      void response.writeHead(404, { 'content-type': 'text/html' }).end('<b>'),
  };
  for (const [name, respond] of Object.entries(cases)) {
    await using server = await lyingServer(respond);
    await using admin = await server.open();
    const fault = await faultOf(admin.api.who());
    assert.equal(fault.code, 'admin_unreachable', name);
    assert.equal(server.asked.length, 1, name);
    assert.ok(!inspect(fault).includes(anyToken), name);
  }
});

test('a response without end is read up to a bound, and a slow one up to the deadline', async () => {
  await using server = await lyingServer((response, { url }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    if (url === '/v1/health') return;
    const piece = Buffer.alloc(1 << 20, 'x');
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more);
    more();
  });
  await using admin = await server.open();
  assert.match((await faultOf(admin.api.who())).message, /longer than/);
  const late = await faultOf(admin.api.health({}, { timeoutMs: 50 }));
  assert.deepEqual([late.code, late.operation], ['timeout', 'health']);
});

test('an id is a segment of the path, whatever it is', async () => {
  await using server = await lyingServer((response) =>
    sendProblem(response, { status: 404, code: 'operation_unknown' }),
  );
  await using admin = await server.open();
  for (const id of ['', '.', '..']) await assert.rejects(admin.api.revokeToken({ id }), { code: 'usage' });
  for (const id of ['../sessions/a', 'a?b=c', 'a#b', '%2e%2e', 'a\r\nx: y']) {
    assert.equal((await faultOf(admin.api.session({ id }))).code, 'operation_unknown');
    assert.equal(server.asked.at(-1)?.url, `/v1/sessions/${encodeURIComponent(id)}`);
  }
});

test('a call that is cancelled says so, before and while it waits for a try', async () => {
  await using server = await lyingServer((response) =>
    sendProblem(response, { status: 503, code: 'shutting_down', fields: { 'retry-after': '30' } }),
  );
  await using admin = await server.open();
  const cancelled = new AbortController();
  const asked = admin.api.who({}, { signal: cancelled.signal });
  cancelled.abort();
  await assert.rejects(asked, (error) => error instanceof ProxyError && error.code === 'cancelled');
  await assert.rejects(admin.api.who({}, { signal: cancelled.signal }), { code: 'cancelled' });
});

test('cursors that lead back end the walk, in whatever circle, and so do empty pages and a cursor of any length', async () => {
  const item = { name: 'a', kind: 'bearer', variables: [] };
  const session = (n: number) => ({ items: [], next: `${n}` });
  const cases: Readonly<Record<string, [(n: number) => unknown, RegExp, number]>> = {
    'the same': [() => ({ items: [], next: 'a' }), /lead back/, 3],
    'a circle of seven': [(n) => session(n % 7), /lead back/, 30],
    'empty ones': [(n) => session(n), /adminEmptyPagesMax/, 101],
    'a long cursor': [() => ({ items: [], next: 'x'.repeat(5000) }), /longer/, 1],
  };
  for (const [name, [page, why, most]] of Object.entries(cases)) {
    await using server = await lyingServer((response, _, n) => sendJson(response, page(n)));
    await using admin = await server.open();
    const walk = async (): Promise<void> => {
      for await (const _ of admin.each('sessions'));
    };
    const fault = await faultOf(walk());
    assert.match(fault.message, why, name);
    assert.ok(server.asked.length <= most, `${name}: ${server.asked.length}`);
  }
  await using server = await lyingServer((response) => sendJson(response, { items: [item, item] }));
  await using admin = await server.open();
  const names: string[] = [];
  for await (const one of admin.each('credentials')) names.push(one.name);
  assert.deepEqual(names, ['a', 'a']);
});

test('a stream that is cut goes on behind the last event; an event without end, or none, is refused', async () => {
  const sse = (id: string): string => `id: ${id}\ndata: ${JSON.stringify(event(id))}\n\n`;
  await using server = await lyingServer((response, { url }) => {
    if (!url.startsWith('/v1/exchanges/follow')) return sendJson(response, { items: [event('e0')] });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const after = new URL(url, 'http://a').searchParams.get('after');
    // Cut in the middle of an event; the one that was had already comes once more.
    if (after === 'e0')
      response.write(`: follows\n\n${sse('e1')}${sse('e2').slice(0, 30)}`, () => response.destroy());
    else if (after === 'e1') response.end(`${sse('e1')}${sse('e2').replaceAll('\n', '\r\n')}`);
    else response.end('data: {}\n\n');
  });
  await using admin = await server.open();
  await using events = await admin.events({ verdict: 'allow' });
  const seen: string[] = [];
  const follow = async (): Promise<void> => {
    for await (const item of events) seen.push(item.kind === 'event' ? item.event.id : item.kind);
  };
  assert.match((await faultOf(follow())).message, /no event/);
  assert.deepEqual(seen, ['e1', 'e2']);
  assert.equal(events.cursor, 'e2');

  await using endless = await lyingServer((response, { url }) => {
    if (!url.startsWith('/v1/exchanges/follow')) return sendJson(response, { items: [] });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const piece = 'x'.repeat(1 << 20);
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more);
    response.write('data: ');
    more();
  });
  await using other = await endless.open();
  const wait = other.nextEvent({}, { timeoutMs: 20_000 });
  assert.match((await faultOf(wait)).message, /adminEventBytesMax/);
});

test('an event that the audit has forgotten is a gap, told before what comes', async () => {
  await using scene = await openAdminScene();
  await scene.append([event('e1')]);
  await using admin = await openAt(scene, 'viewer');
  await using events = await admin.events({}, { after: 'gone' });
  await scene.append([event('e2')]);
  const seen: unknown[] = [];
  for await (const item of events) {
    seen.push(item.kind === 'event' ? item.event.id : item);
    if (seen.length === 2) break;
  }
  assert.deepEqual(seen, [{ kind: 'gap', after: 'gone' }, 'e2']);
  await assert.rejects(admin.nextEvent({}, { after: 'gone', timeoutMs: 5000 }), {
    code: 'operation_unknown',
  });
  await assert.rejects(admin.nextEvent({}, { timeoutMs: 30 }), { code: 'timeout' });
});

test('a stream whose token is revoked ends with that, and what is disposed ends without a fault', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer', { id: 'mine' });
  await using admin = await openAdmin({ socket: scene.socket, token });
  const follow = async (events: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of events);
  };
  const disposed = await admin.events();
  const quiet = follow(disposed);
  await disposed[Symbol.asyncDispose]();
  await quiet;
  await using events = await admin.events();
  await scene.store.operators.revoke('mine', scene.nowMs);
  assert.equal((await faultOf(follow(events))).code, 'operator_unknown');
});

test('a token file that was renewed is read again, once', async () => {
  await using scene = await openAdminScene();
  await using directory = await temporaryDirectory();
  const tokenFile = join(directory.path, 'token');
  await writeFile(tokenFile, `${anyToken}\n`);
  await using admin = await openAdmin({ socket: scene.socket, tokenFile });
  assert.equal((await faultOf(admin.api.who())).code, 'operator_unknown');
  assert.equal(scene.strangers.length, 1);
  await writeFile(tokenFile, await scene.token('viewer', { name: 'renewed' }));
  assert.match((await admin.api.who()).name, /^renewed/);
});

test('a request for access is waited for and granted; a session is ended once, and once more without a fault', async () => {
  await using scene = await openAdminScene();
  await using admin = await openAt(scene, 'operator');
  const asked = await admin.nextAccessRequest({ session: 'red' }, { timeoutMs: 5000 });
  assert.equal(asked.id, 'wish of red');
  assert.equal((await admin.grant(asked.id, { seconds: 60 })).state, 'granted');
  await assert.rejects(admin.nextAccessRequest({ session: 'red' }, { timeoutMs: 50 }), { code: 'timeout' });
  const { session } = await admin.endSession('red', { reason: 'a test' });
  assert.deepEqual([session.state, session.reason], ['revoked', 'a test']);
  assert.equal((await admin.endSession('red')).session.state, 'revoked');
});

test('the end of what no agent began takes its token back, and a mount of its file has nothing more', async () => {
  await using scene = await openAdminScene();
  await using admin = await openAt(scene, 'operator');
  await using directory = await temporaryDirectory();
  const tokenFile = join(directory.path, 'token');
  const started = await admin.startSession({
    subject: 'build-17',
    gateway: 'https://gateway.example.com',
    tokenFile,
  });
  await using mounted = await open(tokenFile, 'r');
  assert.equal(await started.end({ reason: 'a test' }), undefined);
  assert.equal((await mounted.stat()).size, 0);
  await assert.rejects(readFile(tokenFile), { code: 'ENOENT' });
  const { issuer } = scene.parts.config.tokens;
  assert.equal(await scene.store.tokens.consumedBy(tokenKeyOf(issuer, started.tokenId)), withdrawnToken);
});

test('where a token cannot be taken back its session ends all the same, and the caller is told', async () => {
  await using scene = await openAdminScene();
  await using admin = await openAt(scene, 'operator');
  await using directory = await temporaryDirectory();
  const tokenFile = join(directory.path, 'token');
  const wish = { subject: 'build-17', gateway: 'https://gateway.example.com', tokenFile };
  const started = await admin.startSession(wish);
  const claims = { jti: started.tokenId };
  await scene.store.sessions.enrol(newSession('late', { tokenKey: 'late', claims }), {
    enrolmentsPerTokenMax: 1,
  });
  await scene.store.sessions.commit('late', 2000);
  Object.assign(scene.parts.config, { admin: { socket: undefined, socketRoles: {} } });
  await assert.rejects(started.end(), { code: 'operator_refused' });
  assert.equal((await scene.store.sessions.find('late'))?.state, 'revoked');
  await assert.rejects(readFile(tokenFile), { code: 'ENOENT' });
});

test('a confirmation ends at its time, whatever does not respond', async () => {
  await using server = await lyingServer(() => undefined);
  await using admin = await server.open();
  await assert.rejects(
    admin.within(20_000, undefined, 'no end', () => admin.confirm({ timeoutMs: 50 })),
    (error) => error instanceof ProxyError && error.code === 'timeout' && /it is done/.test(error.message),
  );
});

test('what openAdmin is given is checked before anything is sent, and no message has the token', async () => {
  const server = 'https://admin.example.com';
  const wrong: readonly [Record<string, unknown>, RegExp][] = [
    [{ server, token: `${anyToken.slice(0, 20)}\nx-evil: 1` }, /no token of the admin API/],
    [{ server, token: `Bearer ${anyToken}` }, /no token of the admin API/],
    [{ server: 'http://admin.example.com', token: anyToken }, /server must be https/],
    [{ server: 'https://user:secret@admin.example.com', token: anyToken }, /server must be https/],
    [{ server: `${server}/v1`, token: anyToken }, /server must be https/],
    [{ server }, /with which token/],
    [{ server, socket: '/a', token: anyToken }, /one of server and socket/],
    [{ server, token: anyToken, tokenFile: '/a' }, /one of token and tokenFile/],
    [{ server, token: anyToken, ca: 'no PEM' }, /no certificate/],
    [{ server, token: anyToken, rejectUnauthorized: false }, /there is no option "rejectUnauthorized"/],
    [{ server, tokenFile: '/nonexistent/token' }, /cannot be read/],
  ];
  for (const [options, why] of wrong) {
    // As a program without types could write it.
    const error: unknown = await openAdmin(options as never).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ProxyError, JSON.stringify(options));
    assert.match(error.message, why);
    assert.ok(!inspect(error).includes(anyToken.slice(6)) && !inspect(error).includes('secret'));
  }
  await using admin = await openAdmin({ server, token: `  ${anyToken}\n` });
  assert.ok(!inspect(admin, { depth: 10, showHidden: true }).includes(anyToken));
});

test('the reference has every function of the library, and no other', async () => {
  const page = readFileSync(new URL('../../docs/reference/admin-sdk.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('<!-- table: admin-sdk -->'), page.indexOf('<!-- end -->'));
  const named = [...table.matchAll(/^\| `(\w+)[.(]/gm)].map(([, name]) => name);
  const methods = [Admin.prototype, AdminCalls.prototype].flatMap((one) => Object.getOwnPropertyNames(one));
  const own = methods.filter((name) => name !== 'constructor');
  assert.deepEqual(named.toSorted(), ['api', ...own].toSorted());
  const lists = page.slice(page.indexOf('\nLists are '), page.indexOf('\n## Options of a call'));
  const paged = Object.entries<AdminRoute>(adminRoutes).filter(
    ([, { output }]) =>
      'items' in
      ((z.toJSONSchema(output, { unrepresentable: 'any', io: 'input' }).properties ?? {}) as object),
  );
  assert.deepEqual(
    [...lists.matchAll(/`(\w+)`/g)].map(([, name]) => name).toSorted(),
    paged.map(([name]) => name).toSorted(),
  );
  await using admin = await openAdmin({ socket: '/nonexistent' });
  assert.deepEqual(
    Object.keys(admin.api).toSorted(),
    Object.entries<AdminRoute>(adminRoutes)
      .filter(([, { form }]) => form !== 'stream')
      .map(([name]) => name)
      .toSorted(),
  );
});

test('a stream that cannot begin is tried as often as any call, and not as often for each of its parts', async () => {
  await using server = await lyingServer((response, { url }) => {
    if (url.startsWith('/v1/exchanges/follow')) sendProblem(response, { status: 503, code: 'shutting_down' });
    else sendJson(response, { items: [event('e0')] });
  });
  await using admin = await server.open();
  assert.equal((await faultOf(admin.events())).code, 'shutting_down');
  assert.equal(server.asked.length, 6);
});

test('what goes over the whole audit tells how far it is and gives its result, ends when the caller says so, and is not tried again', async () => {
  await using scene = await openAdminScene();
  await scene.append(Array.from({ length: 20 }, (_, n) => event(`e${n}`)));
  await using admin = await openAt(scene, 'viewer');
  const report = await admin.verifyAudit();
  assert.equal(report.events, 20);
  const told: number[] = [];
  const files = [{ name: 'p.yaml', text: 'rules: []' }];
  const replayed = await admin.replayWhole({ files }, { onProgress: ({ looked }) => told.push(looked) });
  assert.equal(typeof replayed.replayed, 'number');
  const gone = new AbortController();
  gone.abort();
  await assert.rejects(admin.verifyAudit({}, { signal: gone.signal }), { code: 'cancelled' });
  await using server = await lyingServer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('data: {"looked": 1}\n\n');
  });
  await using other = await server.open();
  const looked: number[] = [];
  const cut = other.verifyAudit({}, { onProgress: (one) => looked.push(one.looked) });
  assert.equal((await faultOf(cut)).code, 'admin_unreachable');
  assert.deepEqual([looked, server.asked.length], [[1], 1]);
});
