// What a server of MCP asks its client for: it reaches the client where some rule would let the client say it, on every way that messages come.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const sampling = '{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"x":"BAIT"}}';
const roots = '{"jsonrpc":"2.0","id":8,"method":"roots/list"}';
const done = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"half \\ud83d of it"}]}}';
const withheld = (id: string): string => `{"jsonrpc":"2.0","id":${id},"method":"upstreamproxy/withheld"}`;
const asksAgain =
  '{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"x":"BAIT"}}}}}';
const events = (...messages: readonly string[]): string =>
  messages.map((one) => `id: 1\ndata: ${one}\n\n`).join('');

interface Said {
  readonly status: number;
  readonly body: string;
  readonly withheld: unknown;
}

interface Asked {
  readonly rules: string;
  readonly type?: string | undefined;
  readonly body: string | Buffer;
  readonly method?: 'GET' | 'POST';
  readonly answered?: number;
  readonly fields?: readonly string[];
}

async function responded({
  rules,
  type,
  body,
  method = 'POST',
  fields = [],
  answered = 200,
}: Asked): Promise<Said> {
  await using stack = new AsyncDisposableStack();
  const origin = await httpsOrigin({
    authority,
    handler: (_request, response) => {
      response.statusCode = answered;
      if (type !== undefined) response.setHeader('content-type', type);
      response.end(body);
    },
  });
  stack.defer(() => origin.close());
  const place = `hosts: mcp.test, ports: ${origin.port}, addresses: 127.0.0.0/8`;
  const path = stack.use(
    openRequestPath({
      policy: `rules:\n${rules.replaceAll('HOST', place)}`,
      hosts: ['mcp.test'],
      trust: [authority.caPem],
    }),
  );
  const at = `mcp.test:${origin.port}`;
  const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a' } });
  const sent = method === 'POST' ? call : '';
  const head =
    method === 'POST' ? ['Content-Type: application/json', `Content-Length: ${String(call.length)}`] : [];
  const lines = [`${method} /mcp HTTP/1.1`, `Host: ${at}`, ...head, ...fields, 'Connection: close', '', sent];
  const response = await sendRaw(await path.tls(at), lines.join('\r\n'));
  const [event] = await path.events(1);
  return { status: response.status, body: wholeOf(response), withheld: event?.details?.['withheld'] };
}

/** Without the framing of chunks. */
function wholeOf({ headers, body }: RawResponse): string {
  if (headers.get('transfer-encoding') === undefined) return body;
  return body.replace(/([0-9a-f]+)\r\n([\s\S]*?)\r\n(?=[0-9a-f]+\r\n)/g, '$2').replace(/0\r\n\r\n$/, '');
}

const rule = (more: string): string => `  - { name: guarded, HOST, paths: /mcp, mcp: { tools: a${more} } }`;

describe('a question that no rule lets the client respond to is withheld', () => {
  for (const method of ['GET', 'POST'] as const)
    test(`on the stream of a ${method}; what else is there goes on as it came`, async () => {
      const body = events(sampling, done, roots);
      const said = await responded({ rules: rule(''), type: 'text/event-stream', body, method });
      assert.equal(said.body, events(withheld('"q"'), done, withheld('8')));
      assert.deepEqual(said.withheld, ['sampling', 'roots']);
      const kept = await responded({
        rules: rule(', input: sampling'),
        type: 'text/event-stream',
        body,
        method,
      });
      assert.equal(kept.body, events(sampling, done, withheld('8')));
    });

  test('as JSON, in a result and by an error', async () => {
    const type = 'application/json';
    assert.equal((await responded({ rules: rule(''), type, body: sampling })).body, withheld('"q"'));
    const asked = await responded({ rules: rule(''), type, body: asksAgain });
    assert.deepEqual(JSON.parse(asked.body), {
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -32_003,
        message: 'The server asks for sampling, which no rule lets this client give.',
      },
    });
    const page = '{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"BAIT"}}';
    assert.doesNotMatch((await responded({ rules: rule(''), type, body: page })).body, /BAIT/);
    assert.match((await responded({ rules: rule(', input: elicitation'), type, body: page })).body, /BAIT/);
  });
});

describe('with a status that is no success', () => {
  const page =
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"open","data":{"elicitations":[{"url":"https://BAIT.test"}]}}}';
  const json = 'application/json';
  const asks: Readonly<Record<string, Pick<Asked, 'type' | 'body'>>> = {
    'as JSON': { type: json, body: page },
    'as JSON, in a result': { type: json, body: asksAgain },
    'on a stream': { type: 'text/event-stream', body: events(page) },
  };
  for (const [name, asked] of Object.entries(asks))
    for (const answered of [300, 400, 404, 500])
      test(`a question is withheld ${name}, ${String(answered)}`, async () => {
        const said = await responded({ rules: rule(''), answered, ...asked });
        assert.equal(said.status, answered);
        assert.doesNotMatch(said.body, /BAIT/);
        assert.match(said.body, /which no rule lets this client give/);
        assert.ok(Array.isArray(said.withheld));
        const given = rule(', input: [elicitation, sampling]');
        const kept = await responded({ rules: given, answered, ...asked });
        assert.deepEqual([kept.status, kept.body], [answered, asked.body]);
      });

  for (const [name, body] of [
    ['an array of them', `[${page}]`],
    ['a name twice', page.replace('{', '{"error":1,')],
    ['UTF-16', Buffer.from(`\ufeff${page}`, 'utf16le')],
    ['a number that is none', page.replace('{', '{"x":NaN,')],
  ] as const)
    test(`what clients could read as a question and the gateway does not is refused: ${name}`, async () => {
      const said = await responded({ rules: rule(''), type: json, body, answered: 400 });
      assert.equal(said.status, 502);
      assert.doesNotMatch(said.body, /BAIT/);
    });

  for (const [name, type, body] of [
    ['an error', json, '{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no session"}}'],
    ['JSON that is no message', json, '[{"error": "invalid_token"}]'],
    ['no JSON', json, 'Not Found'],
    ['a page', 'text/html', '<p>'],
    ['nothing', undefined, ''],
  ] as const)
    for (const method of ['GET', 'POST'] as const)
      test(`the rest goes on as it is: ${name}, ${method}`, async () => {
        const fields = ['Accept: application/json, text/event-stream'];
        const asked = { rules: rule(''), type, body, method, fields, answered: 404 };
        const said = await responded(asked);
        assert.deepEqual([said.status, said.body, said.withheld], [404, body, undefined]);
      });
});

test('another rule for the same server lets it through, and one that denies does not', async () => {
  const type = 'text/event-stream';
  const asker = '  - { name: asker, HOST, paths: /mcp, mcp: { methods: x, input: sampling } }';
  const both = `${rule('')}\n${asker}`;
  assert.equal((await responded({ rules: both, type, body: events(sampling) })).body, events(sampling));
  // In a result it comes with the call again, so it is the rule of the call that counts.
  const again = await responded({ rules: both, type: 'application/json', body: asksAgain });
  assert.doesNotMatch(again.body, /BAIT/);
  const own = await responded({
    rules: rule(', input: sampling'),
    type: 'application/json',
    body: asksAgain,
  });
  assert.equal(own.body, asksAgain);
  const never = '  - { name: never, hosts: mcp.test, paths: /mcp, deny: true, mcp: { methods: "*" } }';
  const denied = await responded({
    rules: `  - { name: all, HOST }\n${never}`,
    type,
    body: events(sampling),
    method: 'GET',
  });
  assert.equal(denied.body, events(withheld('"q"')));
});

describe('what clients could read as messages and the gateway does not is refused', () => {
  for (const [name, asked] of [
    ['two types', { type: 'text/plain; x="text/event-stream"', body: events(sampling) }],
    ['a type with JSON in it', { type: 'text/plain;application/json', body: sampling }],
    ['an array', { type: 'application/json', body: `[${sampling}]` }],
    ['a name twice', { type: 'application/json', body: '{"method":"ping","id":1,"method":"roots/list"}' }],
    [
      'a stream that was asked for, of another type',
      {
        type: 'text/plain',
        body: events(sampling),
        method: 'GET',
        fields: ['Accept: text/event-stream'],
      },
    ],
  ] as const)
    test(name, async () => {
      const said = await responded({ rules: rule(''), ...asked });
      assert.equal(said.status, 502);
      assert.doesNotMatch(said.body, /BAIT|roots/);
    });

  test('and what no client reads as one goes on', async () => {
    const page = await responded({ rules: rule(''), type: 'text/html', body: '<p>' });
    assert.deepEqual([page.status, page.body], [200, '<p>']);
    const got = await responded({ rules: rule(''), type: 'text/html', body: '<p>', method: 'GET' });
    assert.deepEqual([got.status, got.body], [200, '<p>']);
  });
});

describe('requests without a message, by `sessions`', () => {
  const resumed = ['Last-Event-ID: 5'];
  for (const [sessions, fields, status] of [
    ['', resumed, 200],
    [', sessions: stream', [], 200],
    [', sessions: stream', resumed, 403],
    [', sessions: stream', ['last_event_id: 5'], 403],
    [', sessions: [stream, resume]', resumed, 200],
    [', sessions: end', [], 403],
    [', sessions: none', [], 403],
  ] as const)
    test(`${sessions === '' ? 'by default' : sessions.slice(2)}, ${fields.join()}`, async () => {
      const said = await responded({
        rules: rule(sessions),
        type: 'text/html',
        body: '',
        method: 'GET',
        fields,
      });
      assert.equal(said.status, status);
    });
});
