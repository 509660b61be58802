// Rules that look into bodies, on the request path: what is judged is what goes on, and what cannot be read goes nowhere.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly origin: Awaited<ReturnType<typeof httpsOrigin>>;
  /** Sends a body with these fields, and gives the response. */
  post(body: string | Buffer, fields?: readonly string[]): Promise<RawResponse>;
  send(head: readonly string[], body?: string | Buffer): Promise<RawResponse>;
  upgrade(head: readonly string[]): Promise<RawResponse>;
}

async function openScene(rules: string, options: Partial<RequestPathOptions> = {}): Promise<Scene> {
  const origin = await httpsOrigin({ authority });
  const place = `hosts: mcp.test, ports: ${origin.port}`;
  const path = openRequestPath({
    policy: `rules:\n${rules.replaceAll('HOST', place).replaceAll('OPEN', `${place}, addresses: 127.0.0.0/8`)}`,
    hosts: ['mcp.test'],
    trust: [authority.caPem],
    ...options,
  });
  const at = `mcp.test:${origin.port}`;
  const send = async (head: readonly string[], body: string | Buffer = ''): Promise<RawResponse> => {
    const lines = [...head, `Host: ${at}`, 'Connection: close', '', ''];
    return await sendRaw(
      await path.tls(at),
      Buffer.concat([Buffer.from(lines.join('\r\n')), Buffer.from(body)]),
    );
  };
  return {
    path,
    origin,
    send,
    upgrade: async (head) => await sendRaw(await path.tls(at), [...head, `Host: ${at}`, '', ''].join('\r\n')),
    post: (body, fields = ['Content-Type: application/json']) =>
      send(
        [
          'POST /echo HTTP/1.1',
          `Content-Length: ${Buffer.byteLength(body)}`,
          'Accept: application/json',
          ...fields,
        ],
        body,
      ),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

const call = (tool: string, input: object = {}): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: tool, arguments: input },
  });

const hashOf = (body: string | Buffer): string => createHash('sha256').update(body).digest('hex');

const guarded = `  - { name: guarded, OPEN, paths: /echo, mcp: { tools: [search, "read_*"] } }`;

test('a tool that a rule names is called, another one is refused in the words of JSON-RPC, and the origin hears nothing of it', async () => {
  await using scene = await openScene(guarded);
  const allowed = await scene.post(call('read_file', { path: '/x' }));
  assert.equal(allowed.status, 200);
  assert.equal(scene.origin.requests[0]?.bodySha256, hashOf(call('read_file', { path: '/x' })));
  const refused = await scene.post(call('delete_repo'));
  assert.equal(refused.status, 200);
  const { id, error } = JSON.parse(refused.body) as {
    id: unknown;
    error: { code: number; message: string; data: { reason: string } };
  };
  assert.equal(id, 7);
  assert.equal(error.code, -32_003);
  assert.match(error.message, /No rule allows a call of the tool "delete_repo"/);
  assert.match(error.message, /The rule guarded allows this server for: tools search, read_\*\./);
  assert.equal(error.data.reason, 'policy_denied');
  assert.equal(scene.origin.requests.length, 1);
  // A client that names no type reads no message where it sends (2024-11-05): it sees the status alone.
  const body = call('delete_repo');
  const head = ['POST /echo HTTP/1.1', `Content-Length: ${body.length}`, 'Content-Type: application/json'];
  for (const accept of [[], ['Accept: */*']])
    assert.equal((await scene.send([...head, ...accept], body)).status, 403);
  const events = (await scene.path.events(2)).slice(0, 2);
  assert.deepEqual(
    events.map(({ verdict, rule, mcp }) => ({ verdict, rule, mcp })),
    [
      { verdict: 'allow', rule: 'guarded', mcp: { method: 'tools/call', tool: 'read_file' } },
      { verdict: 'deny', rule: 'default-deny', mcp: { method: 'tools/call', tool: 'delete_repo' } },
    ],
  );
});

test('a rule that denies a tool wins over one that allows the server, in any letter case', async () => {
  await using scene = await openScene(`  - { name: server, OPEN, paths: /echo }
  - { name: no-deletion, HOST, deny: true, mcp: { tools: "delete_*" } }`);
  assert.equal((await scene.post(call('search'))).status, 200);
  const refused = await scene.post(call('Delete_Repo'));
  assert.match(refused.body, /The rule no-deletion refuses a call of the tool/);
  // What cannot be read could be such a call.
  const unread = await scene.post(call('delete_repo'), ['Content-Type: text/plain']);
  assert.equal(unread.status, 403);
  assert.match(unread.body, /has a Content-Type that is not one of JSON/);
  assert.equal(scene.origin.requests.length, 1);
});

test('the body that was read goes on as it came, encoded or in chunks', async () => {
  await using scene = await openScene(guarded);
  const body = call('search', { text: 'é'.repeat(20_000) });
  for (const [coding, encode] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const) {
    const encoded = encode(body);
    const fields = ['Content-Type: application/json; charset=utf-8', `Content-Encoding: ${coding}`];
    assert.equal((await scene.post(encoded, fields)).status, 200, coding);
    assert.equal(scene.origin.requests.at(-1)?.bodySha256, hashOf(encoded));
  }
  const chunks = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const head = ['POST /echo HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked'];
  assert.equal((await scene.send(head, chunks)).status, 200);
  assert.equal(scene.origin.requests.at(-1)?.bodySha256, hashOf(body));
});

test('GET and DELETE of the server pass without a body, and with one only if it is a message', async () => {
  await using scene = await openScene(guarded);
  assert.equal((await scene.send(['GET /echo HTTP/1.1'])).status, 200);
  assert.equal((await scene.send(['DELETE /echo HTTP/1.1', 'Content-Length: 0'])).status, 200);
  assert.equal((await scene.send(['PUT /echo HTTP/1.1', 'Content-Length: 0'])).status, 403);
  const withBody = ['GET /echo HTTP/1.1', 'Content-Type: application/json', 'Content-Length: 2'];
  assert.equal((await scene.send(withBody, '{}')).status, 403);
  assert.equal(scene.origin.requests.length, 2);
});

test('a WebSocket is none of what such a rule allows', async () => {
  await using scene = await openScene(guarded);
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  const fields = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', key];
  const response = await scene.upgrade(['GET /echo HTTP/1.1', ...fields]);
  assert.equal(response.status, 403);
  assert.match(response.body, /is that of a WebSocket/);
});

test('a condition sees the body, and what it cannot read counts against the request', async () => {
  await using scene =
    await openScene(`  - { name: small-models, OPEN, when: 'json.model in ["small", "tiny"]' }
  - { name: no-streams, HOST, deny: true, when: 'has(json.stream) && json.stream == true' }`);
  const outcome = async (body: string): Promise<string> => {
    const { status } = await scene.post(body);
    const event = (await scene.path.events(scene.path.audit.length)).at(-1);
    return `${status} ${event?.rule ?? ''}`;
  };
  assert.equal(await outcome('{"model":"small"}'), '200 small-models');
  assert.equal(await outcome('{"model":"large"}'), '403 default-deny');
  assert.equal(await outcome('{"model":"small","stream":true}'), '403 no-streams');
  assert.equal(await outcome('{"model":"small","Stream":true}'), '403 no-streams');
  assert.equal(await outcome('{"model":"small","Model":"large"}'), '403 default-deny');
  assert.equal(await outcome('{"model":"small","model":"large"}'), '403 no-streams');
  assert.equal(await outcome('{"model":"small"} '), '200 small-models');
  assert.equal(await outcome('{"model":"small"}x'), '403 no-streams');
});

test('names that some origins take for one are one for a rule that denies', async () => {
  await using scene = await openScene(`  - { name: open, OPEN }
  - { name: no-images, HOST, deny: true, when: 'has(json.generationConfig) && json.generationConfig.kind == "image"' }`);
  for (const [name, kind] of [
    ['generationConfig', 'kind'],
    ['generation_config', 'Kind'],
    ['GENERATIONCONFIG', 'kind'],
  ] as const)
    assert.equal((await scene.post(`{"${name}":{"${kind}":"image"}}`)).status, 403, name);
  assert.equal((await scene.post('{"generationConfig":{"kind":"text"}}')).status, 200);
});

test('arguments of a denied call are compared as servers do that are lax, of an allowed one as they are written', async () => {
  await using scene =
    await openScene(`  - { name: all, OPEN, paths: /echo, mcp: { tools: "*", arguments: { repository: acme/* } } }
  - { name: never, HOST, deny: true, paths: /echo, mcp: { tools: "*", arguments: { level: 5, force: true } } }`);
  const sent = async (text: string): Promise<string> => {
    const { body } = await scene.post(call('x').replace('{}', text));
    return /"rule":"([a-z-]+)"/.exec(body)?.[1] ?? 'allowed';
  };
  assert.equal(await sent('{"repository":"acme/app","level":4,"force":true}'), 'allowed');
  for (const level of ['5', '5.0000000000000000', '"5"', '"5.0"', '5e0'])
    for (const force of ['true', '"True"', '1'])
      assert.equal(await sent(`{"repository":"acme/app","level":${level},"force":${force}}`), 'never', level);
  for (const repository of ['"acme/../other/secret"', '"acme/.."', '"other/x"', '["acme/a","other/b"]', '7'])
    assert.equal(await sent(`{"repository":${repository}}`), 'default-deny', repository);
});

test('a rule on trial refuses no body that it cannot read', async () => {
  const limits = { ...defaultLimits, inspectBodyBytesMax: 1000 };
  await using scene = await openScene(
    `  - { name: open, OPEN }
  - { name: trial, HOST, mode: observe, deny: true, when: has(json.stream) }`,
    { limits },
  );
  const long = JSON.stringify({ text: 'x'.repeat(2000) });
  assert.equal((await scene.post(long)).status, 200);
  const chunks = `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`;
  const head = ['POST /echo HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked'];
  assert.equal((await scene.send(head, chunks)).status, 200);
  assert.equal(scene.origin.requests.at(-1)?.bodySha256, hashOf(long));
  await scene.post('{"stream":true}');
  assert.equal((await scene.path.events(3)).at(-1)?.observed, 'trial');
});

test('a body that is too long for what a rule looks into is refused by the name of the limit', async () => {
  const limits = { ...defaultLimits, inspectBodyBytesMax: 1000 };
  await using scene = await openScene(guarded, { limits });
  const long = call('search', { text: 'x'.repeat(2000) });
  const declared = await scene.post(long);
  assert.equal(declared.status, 413);
  assert.match(declared.body, /inspectBodyBytesMax/);
  const packed = await scene.post(gzipSync(long), [
    'Content-Type: application/json',
    'Content-Encoding: gzip',
  ]);
  assert.equal(packed.status, 413);
  assert.equal(scene.origin.requests.length, 0);
});

test('where no rule looks into bodies, none is held', async () => {
  const limits = { ...defaultLimits, inspectBodyBytesMax: 10 };
  await using scene = await openScene('  - { name: open, OPEN }', { limits });
  assert.equal((await scene.post(call('anything'))).status, 200);
});
