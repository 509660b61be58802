// Lists of a server of MCP: as JSON and as events, without what the session may not use, and nothing else is touched.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const authority = createTestAuthority();

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  ask(method: string, fields?: readonly string[]): Promise<RawResponse>;
  listen(): Promise<RawResponse>;
}

async function openScene(
  rules: string,
  respond: Respond,
  options: Partial<RequestPathOptions> = {},
): Promise<Scene> {
  const origin = await httpsOrigin({
    authority,
    handler: (request, response) => respond(response, request),
  });
  const place = `hosts: mcp.test, ports: ${origin.port}`;
  const path = openRequestPath({
    policy: `rules:\n${rules.replaceAll('HOST', place).replaceAll('OPEN', `${place}, addresses: 127.0.0.0/8`)}`,
    hosts: ['mcp.test'],
    trust: [authority.caPem],
    ...options,
  });
  const at = `mcp.test:${origin.port}`;
  const send = async (lines: readonly string[], body = ''): Promise<RawResponse> =>
    await sendRaw(
      await path.tls(at),
      [
        ...lines,
        `Host: ${at}`,
        'Accept: application/json, text/event-stream',
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  return {
    path,
    ask: async (method, fields = []) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method });
      const head = ['POST /mcp HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${body.length}`];
      return await send([...head, ...fields], body);
    },
    listen: async () => await send(['GET /mcp HTTP/1.1']),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

const rule = `  - { name: guarded, OPEN, paths: /mcp, mcp: { tools: [search, "read_*", send], prompts: hello, resources: "file:///a/*", arguments: { to: me } } }
  - { name: never, HOST, paths: /mcp, deny: true, mcp: { tools: "*_secret" } }`;

const named = (...names: readonly string[]): readonly object[] =>
  names.map((name) => ({ name, description: `${name}: é`, inputSchema: { maximum: 1 } }));
const tools = named('search', 'delete_repo', 'read_file', 'read_secret', 'send', 'Search');
const listOf = (result: object): string => JSON.stringify({ jsonrpc: '2.0', id: 1, result });

const asJson =
  (text: string, fields: Readonly<Record<string, string>> = {}): Respond =>
  (response) =>
    response.writeHead(200, { 'content-type': 'application/json', ...fields }).end(text);
const asEvents =
  (...pieces: readonly string[]): Respond =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) response.write(piece);
    response.end();
  };

/** A list under another type. */
const asType =
  (type: string | undefined): Respond =>
  (response) => {
    if (type !== undefined) response.setHeader('content-type', type);
    response.end(listOf({ tools: named('delete_repo') }));
  };

/** The names of the tools in a message. */
function toolsOf(text: string): readonly string[] {
  const { result } = JSON.parse(text) as { result: { tools: readonly { name: string }[] } };
  return result.tools.map(({ name }) => name);
}
const usable = ['search', 'read_file', 'send'];

test('a list has the tools that some call could be allowed of, and the rest of it as it was', async () => {
  const text = `{"jsonrpc":"2.0","id":1,"result":{"tools":${JSON.stringify(tools)},"nextCursor":"c","ttlMs":12345678901234567890,"cacheScope":"public"}}`;
  await using scene = await openScene(rule, asJson(text, { etag: '"x"', 'cache-control': 'public' }));
  const response = await scene.ask('tools/list', ['Accept-Encoding: gzip', 'Range: bytes=0-9']);
  const body = Buffer.from(response.body, 'latin1').toString();
  assert.deepEqual(toolsOf(body), usable);
  assert.match(body, /"nextCursor":"c","ttlMs":12345678901234567890,"cacheScope":"private"/);
  assert.match(body, /"description":"search: é","inputSchema":\{"maximum":1\}/);
  assert.equal(response.headers.get('cache-control'), 'private, no-store');
  assert.equal(response.headers.get('etag'), undefined);
  const [event] = await scene.path.events(1);
  assert.deepEqual(event?.details, { hidden: 3 });
});

test('prompts, resources and templates are lists too', async () => {
  const result = {
    prompts: named('hello', 'other'),
    resources: [{ uri: 'file:///a/b' }, { uri: 'file:///c' }, { name: 'without' }, 7],
    resourceTemplates: [{ uriTemplate: 'file:///a/{x}' }, { uriTemplate: 'file:///{x}' }],
  };
  await using scene = await openScene(rule, asJson(listOf(result)));
  const { body } = await scene.ask('prompts/list');
  assert.deepEqual(JSON.parse(Buffer.from(body, 'latin1').toString()).result, {
    prompts: named('hello'),
    resources: [{ uri: 'file:///a/b' }],
    resourceTemplates: [{ uriTemplate: 'file:///a/{x}' }],
  });
});

describe('events of a stream', () => {
  const message = listOf({ tools });
  const [first, second] = [message.slice(0, 40), message.slice(40)];
  for (const [name, pieces] of [
    ['one event', [`id: 1\ndata: ${message}\n\n`]],
    ['in pieces, with CR and LF between them', [': hello\r', '\n', `data:${first}`, `${second}\r`, '\n\r\n']],
    ['behind a byte order mark, with CR alone', [`\ufeffdata: ${message}\r\r`]],
    [
      'behind an event that is none',
      [`event: endpoint\ndata: /messages\n\nevent: x\nevent: message\ndata: ${message}\n\n`],
    ],
    ['on two lines', [`data: ${message.replace('"id":1,', '"id":1,\ndata: ')}\n\n`]],
    ['behind an event without data', [`id: 0\ndata:\n\n`, `event: message\ndata: ${message}\n\n`]],
  ] as const)
    for (const way of ['ask', 'listen'] as const)
      test(`${name}, ${way}`, async () => {
        await using scene = await openScene(rule, asEvents(...pieces));
        const response = way === 'ask' ? await scene.ask('tools/list') : await scene.listen();
        const text = Buffer.from(response.body, 'latin1').toString();
        const [, data = ''] = /^data: (\{.*\})\r?$/m.exec(text) ?? [];
        assert.deepEqual(toolsOf(data), usable, text);
      });
});

test('what is no list goes on as it came, and an event that is not whole does not', async () => {
  const other = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"n":1.50}}';
  await using scene = await openScene(
    rule,
    asEvents(`id: 1\ndata: ${other}\n\n`, `data: ${listOf({ tools })}\n`),
  );
  const { body } = await scene.listen();
  assert.ok(body.includes(`id: 1\ndata: ${other}\n\n`));
  assert.ok(!body.includes('delete_repo'), body);
});

describe('what cannot be read is not passed on', () => {
  for (const [name, respond] of [
    [
      'a name twice',
      asJson('{"jsonrpc":"2.0","id":1,"result":{"tools":[]},"result":{"tools":[{"name":"delete_repo"}]}}'),
    ],
    ['an array', asJson(`[${listOf({ tools: named('delete_repo') })}]`)],
    ['a result in capitals', asJson('{"jsonrpc":"2.0","id":1,"Result":{"tools":[{"name":"delete_repo"}]}}')],
    ['a list in capitals', asJson(listOf({ Tools: named('delete_repo') }))],
    ['a name in capitals', asJson(listOf({ tools: [{ name: 'search', Name: 'delete_repo' }] }))],
    ['no type', asType(undefined)],
    ['another type of JSON', asType('text/json')],
    ['two types in one', asType('application/json, text/plain')],
    ['half of it', asJson('{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_repo"}')],
    ['encoded', asJson('x', { 'content-encoding': 'gzip' })],
    ['too many items', asJson(listOf({ tools: named(...Array.from({ length: 21 }, (_, i) => `t${i}`)) }))],
    ['too long', asJson(listOf({ tools: named('x'.repeat(5000)) }))],
  ] as const)
    test(name, async () => {
      const limits = { ...defaultLimits, listItemsMax: 20, listBytesMax: 4096 };
      await using scene = await openScene(rule, respond, { limits });
      const response = await scene.ask('tools/list');
      assert.equal(response.status, 502);
      assert.ok(!response.body.includes('delete_repo'));
    });
});

test('what is accepted for another stream has no body, so that no list is in it (2024-11-05)', async () => {
  for (const body of ['Accepted', listOf({ tools })]) {
    await using scene = await openScene(rule, (response) => response.writeHead(202).end(body));
    const response = await scene.ask('tools/list');
    assert.deepEqual(
      [response.status, response.body, response.headers.get('content-length')],
      [202, '', '0'],
    );
  }
});

test('a stream whose beginning clients read in two ways is ended', async () => {
  const events = asEvents(`\ufeff\ufeffdata: ${listOf({ tools: named('delete_repo') })}\n\n`);
  await using scene = await openScene(rule, events);
  await assert.rejects(scene.ask('tools/list'), /two byte order marks/);
});

test('what is no success goes on as it came: who asks for a token, and what has no body', async () => {
  await using unauthorized = await openScene(rule, (response) => {
    const fields = { 'content-type': 'application/json', 'www-authenticate': 'Bearer resource_metadata="x"' };
    response.writeHead(401, fields).end('not "JSON"');
  });
  const refused = await unauthorized.ask('tools/list');
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get('www-authenticate'), 'Bearer resource_metadata="x"');
  await using empty = await openScene(rule, (response) => {
    response.writeHead(204).end();
  });
  const { status, headers } = await empty.ask('tools/list');
  assert.deepEqual([status, headers.get('content-length')], [204, undefined]);
});

test('a stream that is gone on with under a rule that allows all, beside one that denies a tool, hides that tool', async () => {
  const rules = `  - { name: all, OPEN, paths: /mcp }
  - { name: never, HOST, paths: /mcp, deny: true, mcp: { tools: "delete_*" } }`;
  await using scene = await openScene(
    rules,
    asEvents(`data: ${listOf({ tools: named('a', 'delete_repo') })}\n\n`),
  );
  assert.deepEqual(toolsOf(/^data: (.*)$/m.exec((await scene.listen()).body)?.[1] ?? ''), ['a']);
});

test('conditions over bodies hide nothing of a list: some body could be allowed', async () => {
  const deny = `  - { name: big, HOST, deny: true, when: 'has(json.params) && has(json.params.big)' }`;
  await using guarded = await openScene(`${rule}\n${deny}`, asJson(listOf({ tools })));
  assert.deepEqual(toolsOf(Buffer.from((await guarded.ask('tools/list')).body, 'latin1').toString()), usable);
  await using open = await openScene(
    `  - { name: open, OPEN }\n${deny}`,
    asJson(listOf({ tools }), { etag: '"x"' }),
  );
  const response = await open.ask('tools/list');
  assert.equal(response.headers.get('etag'), '"x"');
});

test('a page of an origin that is no message, and lists of hosts without such rules, go on as they came', async () => {
  await using page = await openScene(rule, (response) => {
    response.writeHead(503, { 'content-type': 'text/html', 'content-length': 11 }).end('<p>down</p>');
  });
  assert.equal((await page.ask('tools/list')).body, '<p>down</p>');
  const packed = gzipSync(listOf({ tools }));
  await using open = await openScene('  - { name: open, OPEN }', (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(packed);
  });
  assert.equal((await open.ask('tools/list')).headers.get('content-encoding'), 'gzip');
});
