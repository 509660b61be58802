import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as send, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { sessionCommitPath, sessionPath } from '../../../src/protocol/session-messages.ts';
import { handleSessionRequest } from '../../../src/gateway/sessions/session-endpoints.ts';
import { createAgentKey, openTestSessions, posture, proofOf, type TestSessions } from '../session-fixture.ts';

let sessions: TestSessions;
let server: Server;
let url = '';
let limits: Limits;
const faults: ProxyError[] = [];

beforeEach(async () => {
  sessions = await openTestSessions();
  limits = defaultLimits;
  faults.length = 0;
  server = createServer((request, response) => {
    const context = {
      sessions: sessions.service,
      publicOrigins: [url],
      limits,
      clock: () => sessions.nowMs(),
      onFault: (error: ProxyError) => void faults.push(error),
    };
    void handleSessionRequest(request, response, context);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await sessions[Symbol.asyncDispose]();
});

interface Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

async function ask(
  method: string,
  path: string,
  headers: Record<string, string | string[]>,
  body: string = '',
): Promise<Response> {
  const request = send(`${url}${path}`, { method, headers, agent: false });
  request.end(body);
  const [response] = await once(request, 'response');
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(await text(response)) };
}

const key = createAgentKey();
const enrolBody = JSON.stringify({ key: key.jwk, posture, agent: { version: '0.1.0' } });
const proof = (method: string, path: string, accessToken?: string): string =>
  proofOf(key, { method, url: `${url}${path}`, ...(accessToken === undefined ? {} : { accessToken }) });
const enrol = (token: string, body = enrolBody): Promise<Response> =>
  ask('POST', sessionPath, { authorization: `Bearer ${token}`, dpop: proof('POST', sessionPath) }, body);
const withAccess = (method: string, path: string, accessToken: string): Promise<Response> =>
  ask(method, path, { authorization: `DPoP ${accessToken}`, dpop: proof(method, path, accessToken) });

test('a session enrols, commits, renews and ends over HTTP', async () => {
  const enrolled = await enrol(sessions.token());
  assert.equal(enrolled.status, 200);
  assert.equal(enrolled.headers['content-type'], 'application/json');
  assert.equal(enrolled.headers['cache-control'], 'no-store');
  assert.equal(enrolled.body['token_type'], 'DPoP');
  const access = String(enrolled.body['access_token']);
  const { access_token: given, ...rest } = (await withAccess('POST', sessionCommitPath, access)).body;
  assert.deepEqual(rest, { committed: true, token_type: 'DPoP', expires_in: enrolled.body['expires_in'] });
  const renewed = await withAccess('POST', sessionPath, String(given));
  assert.equal(renewed.body['session_id'], enrolled.body['session_id']);
  const ended = await withAccess('DELETE', sessionPath, String(renewed.body['access_token']));
  assert.deepEqual([ended.status, ended.body], [200, { ended: true }]);
  assert.deepEqual(sessions.audit.actions, ['enrolled', 'committed', 'renewed', 'ended']);
});

test('a refusal is a problem with code, message and the trace id of its audit event, without the token', async () => {
  const token = sessions.token();
  const enrolled = await enrol(token);
  await withAccess('POST', sessionCommitPath, String(enrolled.body['access_token']));
  const { status, body } = await enrol(token);
  assert.equal(status, 409);
  assert.equal(body['error'], 'token_reused');
  assert.equal(body['trace_id'], sessions.audit.events.at(-1)?.traceId);
  assert.equal(JSON.stringify(body).includes(token.split('.')[2] ?? ''), false);
});

test('a 401 says which proof would do', async () => {
  const { status, headers, body } = await enrol('not.a.token');
  assert.deepEqual([status, body['error']], [401, 'token_malformed']);
  assert.match(headers['www-authenticate'] ?? '', /^DPoP algs="/);
});

test('no authorization, two proofs, or two authorizations are refused', async () => {
  const none = await ask('POST', sessionPath, {}, enrolBody);
  assert.deepEqual([none.status, none.body['error']], [401, 'token_malformed']);
  const twoProofs = [proof('POST', sessionPath), proof('POST', sessionPath)];
  const two = await ask(
    'POST',
    sessionPath,
    { authorization: `Bearer ${sessions.token()}`, dpop: twoProofs },
    enrolBody,
  );
  assert.deepEqual([two.status, two.body['error']], [401, 'proof_invalid']);
  assert.equal((await sessions.service.list()).length, 0);
});

const bodies: readonly (readonly [name: string, body: string])[] = [
  ['nothing', ''],
  ['HTML', '<html>'],
  ['null', 'null'],
  ['a list', '[]'],
  ['no key', JSON.stringify({ posture, agent: { version: '1' } })],
  ['a private key', JSON.stringify({ key: { ...key.jwk, d: 'x' }, posture, agent: { version: '1' } })],
  [
    'a posture with a number for a fact',
    JSON.stringify({ key: key.jwk, posture: { ...posture, jailed: 1 }, agent: { version: '1' } }),
  ],
  [
    'a posture with endless notes',
    JSON.stringify({
      key: key.jwk,
      posture: { ...posture, notes: Array(65).fill('x') },
      agent: { version: '1' },
    }),
  ],
];
for (const [name, body] of bodies) {
  test(`an enrolment with ${name} as its body is malformed and leaves no session`, async () => {
    const { status, body: problem } = await enrol(sessions.token(), body);
    assert.deepEqual([status, problem['error']], [400, 'request_malformed']);
    assert.equal((await sessions.service.list()).length, 0);
  });
}

test('a body beyond its limit is refused and the connection is closed', async () => {
  const { status, headers, body } = await enrol(sessions.token(), 'x'.repeat(1024 * 1024));
  assert.deepEqual([status, body['error'], headers.connection], [400, 'request_malformed', 'close']);
  assert.match(String(body['message']), /agentBodyBytesMax/);
});

test('a body that does not end is refused after its deadline', async () => {
  limits = { ...defaultLimits, enrolTimeoutMs: 20 };
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const host = new URL(url).host;
  socket.write(`POST ${sessionPath} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\n{`);
  const response = await text(socket);
  assert.match(response, /^HTTP\/1\.1 504 /);
  assert.match(response, /connection: close/i);
  assert.match(response, /enrolTimeoutMs/);
});

test('a proof for another name of the same server does not pass, whatever the Host field says', async () => {
  const headers = { authorization: `Bearer ${sessions.token()}`, dpop: proof('POST', sessionPath) };
  const evil = await ask('POST', sessionPath, { ...headers, host: 'evil.test' }, enrolBody);
  assert.deepEqual([evil.status, evil.body['error']], [421, 'authority_mismatch']);
});

test('other methods and paths are refused', async () => {
  for (const [method, path] of [
    ['GET', sessionPath],
    ['DELETE', sessionCommitPath],
    ['PUT', sessionPath],
  ] as const) {
    assert.equal((await ask(method, path, {})).status, 400);
  }
});

test('a fault of ours tells the agent a trace id and nothing else', async () => {
  sessions.store.sessions.enrol = () =>
    Promise.reject(new ProxyError('store_unavailable', 'The store /srv/x is gone.'));
  const { status, body } = await enrol(sessions.token());
  assert.deepEqual([status, body['error']], [503, 'store_unavailable']);
  assert.equal(String(body['message']).includes('/srv/x'), false);
  assert.match(String(body['message']), new RegExp(String(body['trace_id'])));
  assert.match(faults[0]?.message ?? '', /\/srv\/x/);
});

test('the field Host names no origin by itself: where none is known every proof is for somebody else', async () => {
  const key = createAgentKey();
  const body = JSON.stringify({ posture });
  for (const [publicOrigins, host, code] of [
    [[], '127.0.0.1', 'authority_mismatch'],
    [['https://gateway.example.com'], 'other.example.com', 'authority_mismatch'],
  ] as const) {
    const other = createServer((request, response) => {
      void handleSessionRequest(request, response, {
        sessions: sessions.service,
        publicOrigins,
        limits,
        clock: () => sessions.nowMs(),
      });
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    // A server that listens on a port has an AddressInfo.
    const { port } = other.address() as AddressInfo;
    const proof = proofOf(key, {
      method: 'POST',
      url: `http://${host}${sessionPath}`,
      nowMs: sessions.nowMs(),
    });
    const request = send(`http://127.0.0.1:${port}${sessionPath}`, {
      method: 'POST',
      headers: { host, dpop: proof, 'content-type': 'application/json' },
      agent: false,
    });
    request.end(body);
    const [response] = await once(request, 'response');
    assert.equal(JSON.parse(await text(response)).error, code);
    other.close();
  }
});
