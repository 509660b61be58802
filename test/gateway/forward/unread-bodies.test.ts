// An origin that does not read the body of a request takes its octets for the next request. What it serves then was decided
// by nobody, and may carry the credential of the request behind it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import fc from 'fast-check';

import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { skipWithout } from '../../support/tools.ts';
import { carelessHabits, carelessOrigin } from '../support/careless-origin.ts';
import type { CarelessHabit, CarelessOrigin } from '../support/careless-origin.ts';
import { http2Origin } from '../support/http2-origin.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const timeout = patienceMs;
const authority = createTestAuthority();
const secret = 'canary-5b0e-unread';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly origin: CarelessOrigin;
}

/** In the place of `AT` stands where the origin is. */
const byPath = `
rules:
  - { name: public, AT, paths: /public }
  - { name: api, AT, paths: /api, inject: key }
`;

async function openScene(habitOf: (connection: number) => CarelessHabit, policy = byPath): Promise<Scene> {
  const origin = await carelessOrigin(authority, habitOf);
  const at = `hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8`;
  const path = openRequestPath({
    policy: policy.replaceAll('AT', at),
    credentials: { key: { kind: 'bearer', source: { env: 'KEY' } } },
    environment: { KEY: secret },
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  return {
    path,
    origin,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

interface Asked {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  readonly framing: 'length' | 'chunked' | 'none';
  readonly trailers?: string;
  readonly principal?: string;
}

async function ask(
  { path, origin }: Scene,
  { method, target, body, framing, trailers, principal }: Asked,
): Promise<number> {
  const at = `allowed.test:${origin.port}`;
  const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
  const [field, octets] = {
    none: ['X-None: 1', ''],
    length: [`Content-Length: ${body.length}`, body],
    chunked: ['Transfer-Encoding: chunked', `${chunk}0\r\n${trailers ?? ''}\r\n`],
  }[framing];
  const head = `${method} ${target} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n${field}\r\n\r\n`;
  const { status } = await sendRaw(
    await path.tls(at, principal === undefined ? {} : { principal }),
    head + octets,
  );
  return status;
}

const open = 'POST /admin HTTP/1.1\r\nHost: allowed.test\r\nX-Rest: ';
const whole = 'POST /admin HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 0\r\n\r\n';

for (const habit of carelessHabits) {
  for (const method of ['GET', 'OPTIONS', 'DELETE', 'POST']) {
    for (const body of [open, whole]) {
      const what = body === open ? 'the beginning of a request' : 'a request';
      test(
        `${what} in the body of ${method} is not served by an origin that ${habit}`,
        { timeout },
        async () => {
          await using scene = await openScene(() => habit);
          await ask(scene, { method, target: '/public', body, framing: 'length' });
          await ask(scene, { method, target: '/public', body, framing: 'length' });
          assert.equal(await ask(scene, { method: 'GET', target: '/api', body: '', framing: 'none' }), 200);
          assert.deepEqual(
            scene.origin.served.map(({ target }) => target),
            ['/public', '/public', '/api'],
          );
        },
      );
    }
  }
}

test(
  'of a body without octets nothing is sent that an origin could take for a request',
  { timeout },
  async () => {
    await using scene = await openScene(() => 'ignores');
    const trailers = 'X-Trailer: of nothing\r\n';
    for (const method of ['GET', 'POST', 'DELETE'])
      await ask(scene, { method, target: '/public', body: '', framing: 'chunked', trailers });
    await ask(scene, { method: 'PUT', target: '/public', body: '', framing: 'length' });
    const heads = scene.origin.served.map(({ head }) => head.toLowerCase());
    assert.equal(heads.length, 4);
    for (const head of heads) assert.doesNotMatch(head, /transfer-encoding|trailer/);
    for (const head of [heads[1], heads[3]]) assert.match(head ?? '', /content-length: 0\r\n/);
    // Nothing was left on the connection, so that it could go on.
    assert.equal(scene.origin.connections(), 1);
  },
);

test(
  'nothing but what was asked for is ever served, whatever origins do with bodies',
  { timeout },
  async () => {
    const asked = fc.record({
      method: fc.constantFrom('GET', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PROPFIND'),
      target: fc.constantFrom('/public', '/api'),
      framing: fc.constantFrom('length' as const, 'chunked' as const),
      body: fc.oneof(
        fc.constantFrom('', open, whole, `\r\n${whole}`, `${whole}${open}`),
        fc
          .tuple(fc.string({ maxLength: 40 }), fc.constantFrom(open, whole))
          .map(([head, rest]) => latin(head) + rest),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(asked, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.constantFrom(...carelessHabits)),
        async (requests, habits) => {
          await using scene = await openScene(() => habits.next().value ?? 'ignores');
          for (const one of requests) await ask(scene, one);
          await ask(scene, { method: 'GET', target: '/api', body: '', framing: 'none' });
          const served = scene.origin.served.map(({ method, target }) => `${method} ${target}`);
          const sent = [...requests.map(({ method, target }) => `${method} ${target}`), 'GET /api'];
          assert.deepEqual(served, sent);
          for (const { target, head } of scene.origin.served)
            assert.equal(head.includes(secret), target === '/api', head);
        },
      ),
      { seed: 20_260, numRuns: 60 },
    );
  },
);

/** Whether a request with a body leaves its connection to the next, under these rules. */
const reuse: readonly (readonly [string, boolean, string])[] = [
  ['one rule of hosts alone is there', true, '- { name: all, AT }'],
  ['it counts bytes', true, '- { name: all, AT, limits: { bytesPerSession: 1 MiB } }'],
  ['it counts requests', false, '- { name: all, AT, limits: { requestsPerSession: 9 } }'],
  ['it names methods', false, '- { name: all, AT, methods: [POST] }'],
  ['it has a condition', false, '- { name: all, AT, when: \'request.query != "a=1"\' }'],
  ['it gives a credential', false, '- { name: all, AT, inject: key }'],
  ['another gives one', false, '- { name: more, AT, inject: key, for: { sub: bob } }\n  - { name: all, AT }'],
  [
    'another denies a path',
    false,
    '- { name: all, AT }\n  - { name: no, hosts: "*", deny: true, paths: /admin }',
  ],
  [
    'another denies other hosts',
    true,
    '- { name: all, AT }\n  - { name: no, hosts: a.test, deny: true, paths: / }',
  ],
];

for (const [what, isKept, rules] of reuse) {
  test(
    `a connection is ${isKept ? '' : 'not '}used again behind a body where ${what}`,
    { timeout },
    async () => {
      await using scene = await openScene(() => 'reads', `rules:\n  ${rules}\n`);
      const post = { method: 'POST', target: '/', body: 'octets', framing: 'length' } as const;
      for (let n = 0; n < 3; n += 1) assert.equal(await ask(scene, post), 200);
      assert.equal(scene.origin.connections(), isKept ? 1 : 3);
      const closing = scene.origin.served.filter(({ head }) => /^connection: close\r$/im.test(head));
      assert.equal(closing.length, isKept ? 0 : 3);
    },
  );
}

test('a connection is shared by no two sessions and by no two sets of credentials', { timeout }, async () => {
  await using scene = await openScene(() => 'reads');
  const get = { method: 'GET', body: '', framing: 'none' } as const;
  for (const [target, principal, connections] of [
    ['/public', 'alice', 1],
    ['/public', 'alice', 1],
    ['/api', 'alice', 2],
    ['/public', 'bob', 3],
    ['/api', 'alice', 3],
    ['/api', 'bob', 4],
  ] as const) {
    await ask(scene, { ...get, target, principal });
    assert.equal(scene.origin.connections(), connections, `${target} of ${principal}`);
  }
});

test(
  'a request that would cost its connection goes over HTTP/2 where the origin speaks it',
  { timeout },
  async () => {
    await using origin = await http2Origin(authority, false);
    const at = `hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8`;
    await using path = openRequestPath({
      policy: `rules:\n  - { name: all, ${at}, paths: /** }`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
    });
    const host = `allowed.test:${origin.port}`;
    const request = `POST /echo HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc`;
    for (let n = 0; n < 3; n += 1) {
      const { status, body } = await sendRaw(await path.tls(host), request);
      assert.equal(status, 200);
      assert.match(body, /abc/);
    }
    assert.equal(origin.sessions(), 1);
    assert.deepEqual(
      (await path.events(3)).map(({ upstreamProtocol }) => upstreamProtocol),
      ['h2', 'h2', 'h2'],
    );
  },
);

test('a rule refuses bodies where HTTP defines none, before anything is dialled', { timeout }, async () => {
  const rules = 'rules:\n  - { name: some, AT, bodies: where-defined }\n';
  await using scene = await openScene(() => 'ignores', rules);
  const common = { target: '/', principal: 'alice' };
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS'])
    for (const framing of ['length', 'chunked'] as const)
      assert.equal(
        await ask(scene, { ...common, method, body: 'octets', framing }),
        403,
        `${method} ${framing}`,
      );
  assert.equal(scene.origin.connections(), 0);
  const [event] = await scene.path.events(1);
  assert.equal(event?.errorCode, 'policy_denied');
  assert.match(event.message ?? '', /bodies: where-defined/);
  for (const [method, framing, body] of [
    ['GET', 'chunked', ''],
    ['DELETE', 'length', ''],
    ['POST', 'chunked', 'octets'],
    ['PATCH', 'length', 'octets'],
    ['GET', 'none', ''],
  ] as const)
    assert.equal(await ask(scene, { ...common, method, body, framing }), 200, `${method} ${framing}`);
});

function latin(text: string): string {
  return text.replaceAll(/[^\u0020-\u00ff]/g, '.');
}

const pythonServer = `
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        print(self.command, self.path, flush=True)
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    do_POST = do_DELETE = do_OPTIONS = do_GET
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
`;

test(
  "Python's http.server, which reads no body by itself, serves no request out of one",
  { timeout, skip: skipWithout('python3') },
  async () => {
    const server = spawn('python3', ['-c', pythonServer], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: server.stdout });
    const served: string[] = [];
    try {
      const [port] = (await once(lines, 'line')) as [string];
      lines.on('line', (line) => served.push(line));
      await using path = openRequestPath({
        policy: `
rules:
  - { name: public, hosts: allowed.test, scheme: http, ports: ${port}, addresses: 127.0.0.0/8, paths: [/public, /last] }
`,
        hosts: ['allowed.test'],
        trust: [],
      });
      const at = `allowed.test:${port}`;
      for (const request of [
        ...['GET', 'POST', 'DELETE', 'OPTIONS'].map(
          (method) => `${method} /public HTTP/1.1\r\nContent-Length: ${whole.length}\r\n`,
        ),
        'GET /last HTTP/1.1\r\n',
      ]) {
        const { socket } = path.open({ authority: at, mode: 'raw' });
        const head = `${request}Host: ${at}\r\nConnection: close\r\n\r\n`;
        const { status } = await sendRaw(socket, request.includes('Length') ? head + whole : head);
        assert.equal(status, 200);
      }
    } finally {
      const ended = once(lines, 'close');
      server.kill();
      await ended;
    }
    // All that was printed has come by now.
    assert.deepEqual(served, [
      'GET /public',
      'POST /public',
      'DELETE /public',
      'OPTIONS /public',
      'GET /last',
    ]);
  },
);
