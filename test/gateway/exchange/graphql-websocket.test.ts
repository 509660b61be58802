// Operations of GraphQL on a WebSocket: each is judged as a request is, in both protocols. A denied one is told in the words of its protocol and the socket stays.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { BudgetStore } from '../../../src/store/budget-store.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { seeded } from '../../support/seeded.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { sendRaw } from '../support/raw-http.ts';
import {
  compilePolicy,
  openRequestPath,
  type RequestPath,
  type RequestPathOptions,
} from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'api.test';
const protocols = { 'graphql-transport-ws': 'subscribe', 'graphql-ws': 'start' } as const;
type Protocol = keyof typeof protocols;

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  /** Messages that came to the server. */
  readonly got: string[];
  readonly extensions: string[];
  /** The sockets of the server, the newest last. */
  readonly peers: WebSocket[];
  /** By which the server's sockets were closed. */
  readonly codes: number[];
  open(protocols: readonly string[]): Promise<WebSocket>;
  setPolicy(rules: string): void;
}

interface SceneOptions extends Partial<RequestPathOptions> {
  readonly agrees?: (offered: Set<string>) => string | false;
}

async function openScene(rules: string, { agrees, ...options }: SceneOptions = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const [got, extensions, peers]: [string[], string[], WebSocket[]] = [[], [], []];
  const codes: number[] = [];
  const server = createServer(authority.issue(host));
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: true,
    ...(agrees === undefined ? {} : { handleProtocols: agrees }),
  });
  sockets.on('connection', (peer, request) => {
    extensions.push(request.headers['sec-websocket-extensions'] ?? '');
    peers.push(peer);
    peer.on('error', () => undefined);
    peer.on('close', (code: number) => codes.push(code));
    peer.on('message', (data: Buffer) => {
      got.push(data.toString());
      peer.send(`{"type":"seen","n":${String(got.length)}}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => {
    for (const one of sockets.clients) one.terminate();
    sockets.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const place = `hosts: ${host}, ports: ${port}`;
  const policyOf = (text: string): string =>
    `rules:\n${text.replaceAll('HOST', place).replaceAll('OPEN', `${place}, addresses: 127.0.0.0/8`)}`;
  const path = stack.use(
    openRequestPath({
      policy: policyOf(rules),
      hosts: [host],
      trust: [authority.caPem],
      ...options,
    }),
  );
  const moved = stack.move();
  return {
    path,
    got,
    extensions,
    peers,
    codes,
    setPolicy: (text) => path.setPolicy(policyOf(text)),
    open: async (offered) => {
      const socket = await path.tls(`${host}:${port}`);
      const client = new WebSocket(`wss://${host}:${port}/graphql?x=1`, [...offered], {
        createConnection: () => socket.once('end', () => socket.destroy()),
      });
      await once(client, 'open');
      return client;
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

const rule =
  '  - { name: guarded, OPEN, paths: /graphql, graphql: { queries: viewer, subscriptions: ticks, webSocket: true } }';
const asking = (protocol: Protocol, query: string, id = '1'): string =>
  JSON.stringify({ id, type: protocols[protocol], payload: { query } });

/** The next message of the server, or of the gateway. */
async function next(client: WebSocket): Promise<{ type: string; id?: string; payload?: unknown }> {
  const [data] = (await once(client, 'message')) as [Buffer];
  return JSON.parse(data.toString()) as { type: string };
}

async function closed(client: WebSocket): Promise<number> {
  const [code] = (await once(client, 'close')) as [number];
  return code;
}

for (const protocol of ['graphql-transport-ws', 'graphql-ws'] as const)
  test(`${protocol}: what a rule names goes on as it came, and a denied operation gets the protocol's own error`, async () => {
    await using scene = await openScene(rule);
    const client = await scene.open([protocol]);
    assert.equal(client.protocol, protocol);
    assert.deepEqual(scene.extensions, ['']);
    const init = '{"type":"connection_init","payload":{"token":"own"}}';
    const allowed = `{ "id":"a", "type" : "${protocols[protocol]}","payload":{"query":"subscription { ticks }"}}`;
    for (const sent of [init, allowed]) {
      client.send(sent);
      assert.equal((await next(client)).type, 'seen');
    }
    client.send(asking(protocol, 'mutation { merge(id: 1) }', 'b'));
    const denied = await next(client);
    assert.deepEqual([denied.type, denied.id], ['error', 'b']);
    const [error] = [denied.payload].flat() as [{ message: string; extensions: Record<string, string> }];
    assert.equal(Array.isArray(denied.payload), protocol === 'graphql-transport-ws');
    assert.match(error.message, /the mutation merge/);
    assert.equal(error.extensions['code'], 'FORBIDDEN');
    const ended = JSON.stringify({ id: 'a', type: protocol === 'graphql-ws' ? 'stop' : 'complete' });
    client.send(ended);
    await next(client);
    assert.deepEqual(scene.got, [init, allowed, ended]);
    client.close();
    const events = await scene.path.events(3);
    const [went, refused, socket] = events;
    assert.deepEqual(
      events.map(({ verdict, rule: name }) => [verdict, name]),
      [
        ['allow', 'guarded'],
        ['deny', 'default-deny'],
        ['allow', 'guarded'],
      ],
    );
    assert.deepEqual(went?.graphql?.operations, [{ type: 'subscription', fields: ['ticks'] }]);
    assert.deepEqual(refused?.graphql?.operations, [{ type: 'mutation', fields: ['merge'] }]);
    assert.equal(refused?.details?.['socketTrace'], socket?.traceId);
    assert.equal(error.extensions['trace'], refused?.traceId);
  });

describe('a WebSocket that cannot be judged is not opened', () => {
  const open = '  - { name: guarded, OPEN, paths: /graphql, graphql: { queries: viewer } }';
  const beside = `  - { name: all, OPEN }\n  - { name: never, HOST, deny: true, paths: /graphql, graphql: { mutations: merge } }`;
  for (const [name, rules, offered, status] of [
    ['without the key', open, ['graphql-transport-ws'], 403],
    ['of no protocol', rule, [], 403],
    ['of another protocol', rule, ['chat'], 403],
    ['of a protocol in another letter case', rule, ['GraphQL-WS'], 403],
    ['of another protocol beside', rule, ['graphql-ws', 'chat'], 403],
    ['of another protocol, beside a rule that denies', beside, ['chat'], 403],
    [
      'that a rule denies',
      rule
        .replace('OPEN', 'OPEN')
        .concat('\n  - { name: never, HOST, deny: true, graphql: { webSocket: true } }'),
      ['graphql-ws'],
      403,
    ],
  ] as const)
    test(name, async () => {
      await using scene = await openScene(rules);
      await assert.rejects(scene.open(offered), new RegExp(`response: ${status}`));
      assert.equal(scene.peers.length, 0);
    });

  test('nor is one for which the origin agrees to no protocol', async () => {
    await using scene = await openScene(rule, { agrees: () => false });
    await assert.rejects(scene.open(['graphql-ws']), /response: 502/);
  });
});

describe('a message that servers could read in two ways ends the socket, and does not leave', () => {
  const start = '"id":"1","type":"subscribe","payload":';
  const query = '{"query":"{ viewer }"}';
  for (const [name, sent] of [
    ['a name twice', `{${start}${query},"payload":{"query":"mutation { merge }"}}`],
    ['a name in another letter case', `{${start}${query},"Payload":{"query":"mutation { merge }"}}`],
    ['a type in another letter case', `{${start}${query},"TYPE":"complete"}`],
    ['a type of the other protocol', asking('graphql-ws', 'mutation { merge }')],
    ['a type of nobody', '{"type":"x"}'],
    ['no type', `{"id":"1","payload":${query}}`],
    ['an array of messages', `[{${start}${query}}]`],
    ['an id that is a number', `{"id":1,"type":"subscribe","payload":${query}}`],
    ['an array of requests', `{${start}[${query}]}`],
    ['a text of a request', `{${start}"{}"}`],
    ['a byte order mark', `\ufeff{${start}${query}}`],
    ['something behind it', `{${start}${query}} `.concat('{}')],
    ['a binary message', Buffer.from(`{${start}${query}}`)],
    ['a long message', `{${start}{"query":"{ viewer }","variables":{"x":"${'x'.repeat(5000)}"}}}`],
  ] as const)
    test(name, async () => {
      await using scene = await openScene(rule, {
        limits: { ...defaultLimits, inspectBodyBytesMax: 4096, closeTimeoutMs: 200 },
      });
      const client = await scene.open(['graphql-transport-ws']);
      const over = closed(client);
      client.send(sent);
      assert.equal(await over, 1008);
      await waitUntil('the server is told', () => scene.codes.length === 1);
      assert.deepEqual(scene.codes, [1008]);
      assert.deepEqual(scene.got, []);
      const [event] = await scene.path.events(1);
      assert.equal(event?.verdict, 'deny');
    });

  test('an operation that cannot be read is refused by itself', async () => {
    await using scene = await openScene(rule);
    const client = await scene.open(['graphql-transport-ws']);
    client.send(`{${start}{"query":"{ viewer }","doc_id":"7"}}`);
    assert.equal((await next(client)).type, 'error');
    assert.deepEqual(scene.got, []);
  });
});

test('a message in many frames is judged as a whole, and what the gateway says comes between messages of the server', async () => {
  await using scene = await openScene(rule);
  const client = await scene.open(['graphql-transport-ws']);
  await waitUntil('the server has the socket', () => scene.peers.length === 1);
  const [peer] = scene.peers;
  const told: string[] = [];
  client.on('message', (data: Buffer) => told.push(data.toString()));
  peer!.send('{"first":', { fin: false });
  peer!.ping();
  await once(client, 'ping');
  const text = asking('graphql-transport-ws', 'mutation { merge }');
  client.send(text.slice(0, 9), { fin: false });
  client.ping('p');
  client.send(text.slice(9), { fin: true });
  await once(peer!, 'ping');
  await scene.path.events(1);
  peer!.send('"half"}', { fin: true });
  await waitUntil('both are told', () => told.length === 2);
  assert.equal(told[0], '{"first":"half"}');
  assert.match(told[1] ?? '', /"type":"error"/);
  const whole = asking('graphql-transport-ws', '{ viewer }');
  client.send(whole.slice(0, 20), { fin: false });
  client.send(whole.slice(20), { fin: true });
  await waitUntil('it came', () => scene.got.length === 1);
  assert.deepEqual(scene.got, [whole]);
});

test('a rule that denies operations is asked about each on a socket that another rule opened', async () => {
  const rules = `  - { name: all, OPEN }\n  - { name: never, HOST, deny: true, paths: /graphql, graphql: { mutations: merge } }`;
  await using scene = await openScene(rules);
  const client = await scene.open(['graphql-transport-ws']);
  client.send(asking('graphql-transport-ws', 'mutation { Merge }'));
  assert.equal((await next(client)).type, 'error');
  client.send(asking('graphql-transport-ws', 'mutation { other }'));
  assert.equal((await next(client)).type, 'seen');
});

test('beside a credential its client says nothing of who it is, and rules that give another one need a request of their own', async () => {
  const rules = `  - { name: read, OPEN, paths: /graphql, graphql: { queries: viewer, webSocket: true }, inject: one }
  - { name: alike, OPEN, paths: /graphql, graphql: { queries: other, webSocket: true }, inject: one }
  - { name: write, OPEN, paths: /graphql, graphql: { mutations: merge, webSocket: true }, inject: two }`;
  await using scene = await openScene(rules, {
    credentials: {
      one: { kind: 'bearer', source: { env: 'ONE' } },
      two: { kind: 'bearer', source: { env: 'TWO' } },
    },
    environment: { ONE: 'one-0123456789abcdef', TWO: 'two-0123456789abcdef' },
  });
  const client = await scene.open(['graphql-transport-ws']);
  for (const [query, type] of [
    ['{ viewer }', 'seen'],
    ['{ other }', 'seen'],
    ['mutation { merge }', 'error'],
  ] as const) {
    client.send(asking('graphql-transport-ws', query));
    assert.equal((await next(client)).type, type, query);
  }
  client.send('{"type":"connection_init","payload":{}}');
  await next(client);
  const over = closed(client);
  client.send('{"type":"connection_init","payload":{"authorization":"own"}}');
  assert.equal(await over, 1008);
});

test('operations count against the limits of their rule', async () => {
  const limited = rule.replace('webSocket: true }', 'webSocket: true }, limits: { requestsPerSession: 3 }');
  await using scene = await openScene(limited);
  const client = await scene.open(['graphql-transport-ws']);
  const types: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    client.send(asking('graphql-transport-ws', '{ viewer }'));
    types.push((await next(client)).type);
  }
  // The one that opened the socket counts too.
  assert.deepEqual(types, ['seen', 'seen', 'error']);
});

const liveRule = (name: string, field: string, more = ''): string =>
  `  - { name: ${name}, OPEN, paths: /graphql, graphql: { queries: ${field}, webSocket: true }${more} }`;

test('an operation whose rule counts bytes in another way than the one of the socket needs a request of its own', async () => {
  const limits = (text: string): string => `, limits: { ${text} }`;
  const rules = [
    liveRule('own', 'viewer', limits('bytesPerSession: 100000, budget: one')),
    liveRule('same', 'same', limits('bytesPerSession: 100000, budget: one')),
    liveRule('free', 'free', limits('requestsPerSession: 5')),
    liveRule('both', 'both', limits('bytesPerSession: 100000')),
    liveRule('out', 'out', limits('bytesOutPerSession: 100000')),
    liveRule('urls', 'urls', limits('urlsPerSession: 5')),
  ];
  await using scene = await openScene(rules.join('\n'));
  const client = await scene.open(['graphql-transport-ws']);
  const opened = { viewer: 'seen', same: 'seen', free: 'seen', both: 'error', out: 'error', urls: 'error' };
  for (const [field, type] of Object.entries(opened)) {
    client.send(asking('graphql-transport-ws', `{ ${field} }`));
    const said = await next(client);
    assert.equal(said.type, type, field);
    if (type === 'error') assert.match(JSON.stringify(said.payload), /bytes in another way.*of its own/);
  }
  assert.equal(scene.got.length, 3);
});

test('and so does one that is counted for another session above its own', async () => {
  let sessionId = 'session-above';
  await using scene = await openScene(rule, {
    over: (policy) => ({
      version: policy.version,
      capturePorts: (...asked) => policy.capturePorts(...asked),
      rulesFor: (...asked) => policy.rulesFor(...asked),
      blindHosts: (...asked) => policy.blindHosts(...asked),
      sshHosts: (...asked) => policy.sshHosts(...asked),
      injected: (...asked) => policy.injected(...asked),
      revokesTokens: policy.revokesTokens,
      signing: (...asked) => policy.signing(...asked),
      changesBetween: (...asked) => policy.changesBetween(...asked),
      decide: (...asked) => {
        const decision = policy.decide(...asked);
        const narrowed = [{ sessionId, rule: { name: 'n' }, limits: { bytesPerSession: 100_000 } }];
        return decision.effect === 'deny' ? decision : { ...decision, narrowed };
      },
    }),
  });
  const client = await scene.open(['graphql-transport-ws']);
  const text = asking('graphql-transport-ws', '{ viewer }');
  client.send(text);
  assert.equal((await next(client)).type, 'seen');
  sessionId = 'session-other';
  client.send(text);
  assert.equal((await next(client)).type, 'error');
  assert.deepEqual(scene.got, [text]);
});

/** Budgets of requests are lent when the test says so. */
function slowBudgets(): { readonly store: BudgetStore; readonly asked: () => number; lend: () => void } {
  const store = memoryBudgets();
  const lent = Promise.withResolvers<undefined>();
  let asked = 0;
  return {
    store: {
      ...store,
      borrow: async (name, ...others) => {
        if (name.budget.startsWith('requestsPerSession')) {
          asked += 1;
          await lent.promise;
        }
        return await store.borrow(name, ...others);
      },
    },
    asked: () => asked,
    lend: () => lent.resolve(undefined),
  };
}

const slow = `${rule}\n${liveRule('slow', 'slow', ', limits: { requestsPerSession: 5 }')}`;

test('an operation that waited for a budget goes out only if it is still allowed', async () => {
  const budgets = slowBudgets();
  const later = compilePolicy('rules: [{ name: none, hosts: other.test }]');
  let isLater = false;
  await using scene = await openScene(slow, {
    budgetStore: budgets.store,
    over: (policy) => (isLater ? later : policy),
  });
  const client = await scene.open(['graphql-transport-ws']);
  client.send(asking('graphql-transport-ws', '{ slow }'));
  await waitUntil('it waits', () => budgets.asked() > 0);
  isLater = true;
  budgets.lend();
  assert.equal((await next(client)).type, 'error');
  assert.deepEqual(scene.got, []);
});

test('an operation that waits for a budget is dropped when its socket is closed, and the audit says so', async () => {
  const budgets = slowBudgets();
  await using scene = await openScene(slow, {
    budgetStore: budgets.store,
    limits: { ...defaultLimits, closeTimeoutMs: 5000 },
  });
  const client = await scene.open(['graphql-transport-ws']);
  client.send(asking('graphql-transport-ws', '{ slow }'));
  await waitUntil('it waits', () => budgets.asked() > 0);
  const over = closed(client);
  // Its rule stays.
  scene.setPolicy(`${slow}\n${liveRule('more', 'more')}`);
  budgets.lend();
  assert.equal(await over, 1008);
  await waitUntil('the server is told', () => scene.codes.length === 1);
  assert.deepEqual(scene.got, []);
  const [operation] = await scene.path.events(2);
  assert.deepEqual([operation?.verdict, operation?.rule], ['deny', 'slow']);
});

test('a socket ends when the policy changes, and stays when it does not', async () => {
  await using scene = await openScene(rule);
  const client = await scene.open(['graphql-transport-ws']);
  scene.setPolicy(rule);
  client.send(asking('graphql-transport-ws', '{ viewer }'));
  assert.equal((await next(client)).type, 'seen');
  const over = closed(client);
  scene.setPolicy(`${rule}\n${liveRule('more', 'more')}`);
  assert.equal(await over, 1008);
});

describe('an origin that does not switch gets no operation in the URL', () => {
  const deny = `  - { name: all, OPEN }\n  - { name: never, HOST, deny: true, paths: /graphql, graphql: { queries: secret } }`;
  for (const [name, rules] of [
    ['by a rule that allows', rule],
    ['beside a rule that denies', deny],
  ] as const)
    test(name, async () => {
      const urls: (string | undefined)[] = [];
      await using stack = new AsyncDisposableStack();
      const origin = await httpsOrigin({
        authority,
        handler: ({ url }, response) => {
          urls.push(url);
          response.end('{"data":{}}');
        },
      });
      stack.defer(() => origin.close());
      const place = `hosts: ${host}, ports: ${origin.port}`;
      const open = `${place}, addresses: 127.0.0.0/8`;
      const path = stack.use(
        openRequestPath({
          policy: `rules:\n${rules.replaceAll('HOST', place).replaceAll('OPEN', open)}`,
          hosts: [host],
          trust: [authority.caPem],
        }),
      );
      const at = `${host}:${origin.port}`;
      const ask = async (query: string): Promise<number> => {
        const lines = [
          `GET /graphql?${query} HTTP/1.1`,
          `Host: ${at}`,
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          'Sec-WebSocket-Protocol: graphql-ws',
        ];
        return (await sendRaw(await path.tls(at), `${lines.join('\r\n')}\r\n\r\n`)).status;
      };
      for (const query of [
        'query=%7Bsecret%7D',
        '?query=%7Bsecret%7D',
        'a=1;query=%7Bsecret%7D',
        'extensions.persistedQuery.sha256Hash=1',
      ])
        assert.equal(await ask(query), 403, query);
      assert.deepEqual(urls, []);
      assert.equal(await ask('token=x'), 200);
      assert.deepEqual(urls, ['/graphql?token=x']);
    });
});

test('a client that takes nothing is closed before what it is told grows', { timeout: 60_000 }, async () => {
  await using scene = await openScene(rule, { limits: { ...defaultLimits, closeTimeoutMs: 200 } });
  const client = await scene.open(['graphql-transport-ws']);
  await waitUntil('the server has the socket', () => scene.peers.length === 1);
  // In the midst of a message of the server nothing can be said.
  scene.peers[0]!.send('{"first":', { fin: false });
  const over = closed(client);
  const text = asking('graphql-transport-ws', 'mutation { merge }');
  const isOpen = (): boolean => client.readyState === WebSocket.OPEN;
  for (let i = 0; i < 5000 && isOpen(); i += 1) {
    client.send(text);
    if (i % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.notEqual(await over, 1000);
  const isTold = (): boolean => scene.path.audit.some(({ limit }) => limit === 'toldMessagesBytesMax');
  await waitUntil('the event of the socket says why', isTold);
});

/** Pieces of messages, many of them wrong. */
const pieces = [
  '"id":"1"',
  '"id":7',
  '"ID":"2"',
  '"type":"subscribe"',
  '"type":"start"',
  '"type":"complete"',
  '"\\u0074ype":"subscribe"',
  '"Type":"subscribe"',
  '"payload":{"query":"mutation { merge }"}',
  '"payload":{"query":"{ viewer }"}',
  '"payload":{"query":"{ viewer }","query":"mutation { merge }"}',
  '"payload":{"query":"query A { viewer } mutation B { merge }","operationName":"B"}',
  '"payload":{"\\u0071uery":"mutation { merge }"}',
  '"payload":"mutation { merge }"',
  '"Payload":{"query":"mutation { merge }"}',
  '"query":"mutation { merge }"',
  '"x":null',
];

test(
  'of generated messages, none that a server could take for a mutation reaches it',
  { timeout: 120_000 },
  async () => {
    await using scene = await openScene(rule, { limits: { ...defaultLimits, closeTimeoutMs: 50 } });
    const random = seeded(20_261_127);
    const below = (max: number): number => Math.floor(random() * max);
    let client: WebSocket | undefined;
    for (let i = 0; i < 150; i += 1) {
      if (client?.readyState !== WebSocket.OPEN) client = await scene.open(['graphql-transport-ws']);
      const members = Array.from({ length: 1 + below(5) }, () => pieces[below(pieces.length)] ?? '');
      const ping = once(client, 'pong').catch(() => undefined);
      const over = once(client, 'close').catch(() => undefined);
      client.send(`{${members.join(',')}}`);
      client.ping();
      await Promise.race([ping, over]);
    }
    client?.terminate();
    assert.ok(scene.got.length > 0);
    for (const text of scene.got) {
      const { type, payload } = JSON.parse(text) as { type?: string; payload?: unknown };
      if (type === 'subscribe' || type === 'start') assert.deepEqual(payload, { query: '{ viewer }' });
      else assert.equal(type, 'complete');
    }
  },
);
