import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { LoopGuard } from '../../../src/gateway/forward/loop-guard.ts';
import { handleStream } from '../../../src/gateway/tunnels/stream-handler.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { OpenFields } from '../../../src/protocol/frame.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, testPrincipal } from '../support/request-path.ts';

const timeout = patienceMs;
const authority = createTestAuthority();
const claims = { sni: 'allowed.test', tlsVersion: 'TLSv1.3' } as const;

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  readonly requests: () => number;
}

async function openScene(options: { loops?: LoopGuard } = {}): Promise<Scene> {
  const origin = await httpsOrigin({ authority });
  const path = openRequestPath({
    policy: `rules:
  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }
  - { name: passed, hosts: passed.test, ports: ${origin.port}, tls: passthrough, addresses: 127.0.0.0/8 }
  - { name: raw, hosts: raw.test, scheme: tcp, ports: ${origin.port}, addresses: 127.0.0.0/8 }`,
    hosts: ['allowed.test', 'passed.test', 'raw.test'],
    trust: [authority.caPem],
    ...options,
  });
  return {
    path,
    at: `allowed.test:${String(origin.port)}`,
    requests: () => origin.requests.length,
    async [Symbol.asyncDispose]() {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

test('HTTP/1.1 of TLS that the agent ended is served as any other', { timeout }, async () => {
  await using scene = await openScene();
  const { socket } = scene.path.open({ authority: scene.at, mode: 'http1', alpn: 'http/1.1', ...claims });
  const response = await sendRaw(socket, get(scene.at, '/hello'));
  assert.equal(response.status, 200);
  assert.match(response.body, /hello/);
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.verdict, event?.scheme, event?.protocol], ['allow', 'https', 'http/1.1']);
});

test(
  'HTTP/2 of TLS that the agent ended is served, many streams at once and bodies both ways',
  { timeout },
  async () => {
    await using scene = await openScene();
    const fields = {
      authority: scene.at,
      mode: 'http2',
      alpn: 'h2',
      alpnOffer: 'h2 http/1.1',
      ...claims,
    } as const;
    const { socket } = scene.path.open(fields);
    const session = connectHttp2(`https://${scene.at}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    const bodies = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const stream = session.request({ ':method': 'POST', ':path': '/echo' });
        stream.end(String(i).repeat(50_000));
        return JSON.parse(await text(stream)) as { bodyBytes?: number; bytes?: number };
      }),
    );
    assert.equal(bodies.length, 20);
    assert.equal(await text(session.request({ ':path': '/hello' })), 'hello\n');
    assert.equal((await text(session.request({ ':path': '/bytes/3000000' }))).length > 0, true);
    session.destroy();
    assert.equal(scene.requests(), 22);
  },
);

/** A stream whose TLS the agent ended, over a duplex that does not count what it reads. */
async function openUncounted(
  { path, at }: Scene,
  mode: 'http1' | 'http2',
): Promise<readonly [Duplex, Duplex]> {
  const [near, far] = duplexPair();
  near.on('error', () => undefined);
  const alpn = mode === 'http1' ? 'http/1.1' : 'h2';
  await handleStream(
    {
      duplex: far,
      fields: { authority: at, mode, alpn, ...claims },
      allowsMode: () => true,
      accept: () => undefined,
      refuse: () => undefined,
      reset: () => undefined,
    },
    testPrincipal('alice'),
    path.parts,
  );
  return [near, far];
}

for (const mode of ['http1', 'http2'] as const)
  test(`TLS that breaks behind a request of mode ${mode} has no event of its own`, { timeout }, async () => {
    await using scene = await openScene();
    const [near, far] = await openUncounted(scene, mode);
    if (mode === 'http1') {
      near.write(get(scene.at, '/hello'));
      await once(near, 'data');
    } else {
      const session = connectHttp2(`https://${scene.at}`, { createConnection: () => near });
      session.on('error', () => undefined);
      assert.equal(await text(session.request({ ':path': '/hello' })), 'hello\n');
    }
    await scene.path.events(1);
    far.destroy(new ProxyError('tls_handshake', 'behind a request'));
    const [, other] = await openUncounted(scene, mode);
    other.destroy(new ProxyError('tls_handshake', 'before one'));
    const events = await scene.path.events(2);
    assert.deepEqual(
      events.map(({ errorCode, message }) => [errorCode, message]),
      [
        [undefined, undefined],
        ['tls_handshake', 'before one'],
      ],
    );
  });

test('a destination that no rule allows is denied in words, and not dialled', { timeout }, async () => {
  await using scene = await openScene();
  const fields = {
    authority: 'denied.test:443',
    mode: 'http1',
    sni: 'denied.test',
    tlsVersion: 'TLSv1.3',
  } as const;
  const { socket } = scene.path.open(fields);
  assert.equal((await sendRaw(socket, get('denied.test', '/'))).status, 403);
});

test('Host has to name the destination', { timeout }, async () => {
  await using scene = await openScene();
  const { socket } = scene.path.open({ authority: scene.at, mode: 'http1', ...claims });
  assert.equal((await sendRaw(socket, get('evil.test', '/'))).status, 421);
  assert.equal(scene.requests(), 0);
});

test('what is claimed has to agree, and the modes to have been agreed', { timeout }, async () => {
  const loops = new LoopGuard();
  loops.listensAs(['gateway.test'], 443);
  await using scene = await openScene({ loops });
  const { at } = scene;
  const port = at.slice(at.indexOf(':'));
  const cases: readonly (readonly [OpenFields, string, RegExp])[] = [
    [
      { authority: at, mode: 'http1', ...claims, sni: 'evil.test' },
      'authority_mismatch',
      /asks for another name/,
    ],
    [
      { authority: at, mode: 'http1', ...claims, sni: 'not a name' },
      'authority_mismatch',
      /asks for another name/,
    ],
    [{ authority: at, mode: 'http1', ...claims, alpn: 'h2' }, 'protocol_denied', /names another protocol/],
    [{ authority: at, mode: 'http2', ...claims }, 'protocol_denied', /names another protocol/],
    [
      { authority: at, mode: 'http2', ...claims, alpn: 'http/1.1' },
      'protocol_denied',
      /names another protocol/,
    ],
    [
      { authority: `passed.test${port}`, mode: 'http1', ...claims, sni: 'passed.test' },
      'protocol_denied',
      /passed through by rule passed/,
    ],
    [
      { authority: `raw.test${port}`, mode: 'http1', ...claims, sni: 'raw.test' },
      'protocol_denied',
      /passed through by rule raw/,
    ],
    [
      { authority: 'gateway.test:443', mode: 'http1', ...claims, sni: 'gateway.test' },
      'loop_detected',
      /the gateway itself/,
    ],
    [
      { authority: 'gateway.test:8443', mode: 'http1', ...claims, sni: 'gateway.test' },
      'loop_detected',
      /the gateway itself/,
    ],
    [{ authority: 'no authority', mode: 'http1', ...claims }, 'authority_malformed', /./],
    [{ authority: at, mode: 'http1', ...claims, via: 'a\r\nb' }, 'request_malformed', /Via/],
  ];
  for (const [fields, code, message] of cases) {
    const { ended } = scene.path.open(fields);
    const error = await ended;
    assert.equal(error?.code, code);
    assert.match(error.message, message);
  }
  const events = await scene.path.events(cases.length);
  assert.deepEqual(
    events.map(({ errorCode }) => errorCode),
    cases.map(([, code]) => code),
  );
  assert.deepEqual(events[0]?.claimed, { connect: 'allowed.test', sni: 'evil.test' });
  assert.equal(scene.requests(), 0);
});

test(
  'a stream of these modes without an agreed proof is refused, whatever it says',
  { timeout },
  async () => {
    await using scene = await openScene();
    for (const mode of ['http1', 'http2'] as const) {
      const [near, far] = duplexPair();
      const refused = Promise.withResolvers<ProxyError>();
      const alpn = mode === 'http2' ? { alpn: 'h2' } : {};
      await handleStream(
        {
          duplex: far,
          fields: { authority: scene.at, mode, ...claims, ...alpn },
          allowsMode: () => false,
          accept: () => assert.fail('it was accepted'),
          refuse: refused.resolve,
          reset: refused.resolve,
        },
        testPrincipal('alice'),
        scene.path.parts,
      );
      const error = await refused.promise;
      assert.deepEqual(
        [error.code, error.message],
        ['protocol_denied', `streams of mode ${mode} were not agreed for this tunnel`],
      );
      near.destroy();
    }
    assert.equal(scene.requests(), 0);
  },
);

test('HTTP/2 on a stream of HTTP/1.1 is refused, and HTTP/1.1 on one of HTTP/2', { timeout }, async () => {
  await using scene = await openScene();
  const http1 = scene.path.open({ authority: scene.at, mode: 'http1', ...claims });
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const smuggled = await sendRaw(http1.socket, `${preface}${get(scene.at, '/hello')}`);
  assert.ok(smuggled.status >= 400, String(smuggled.status));
  const http2 = scene.path.open({ authority: scene.at, mode: 'http2', alpn: 'h2', ...claims });
  http2.socket.write(get(scene.at, '/hello'));
  await once(http2.socket.resume(), 'end');
  const codes = (await scene.path.events(2)).map(({ errorCode }) => errorCode);
  assert.deepEqual(codes, ['request_malformed', 'request_malformed']);
  assert.equal(scene.requests(), 0);
});

test('a handshake that failed in the agent is in the audit, and serves nothing', { timeout }, async () => {
  await using scene = await openScene();
  for (const [code, message] of [
    ['tls_handshake', `${'a'.repeat(400)}`],
    ['timeout', 'it took too long'],
    // Whatever else an agent may say.
    ['policy_denied', 'it is all right'],
  ] as const) {
    const [near, far] = duplexPair();
    far.on('error', () => undefined);
    await handleStream(
      {
        duplex: far,
        fields: { authority: scene.at, mode: 'http1', sni: 'allowed.test' },
        allowsMode: () => true,
        accept: () => undefined,
        refuse: () => undefined,
        reset: () => undefined,
      },
      testPrincipal('alice'),
      scene.path.parts,
    );
    near.write(get(scene.at, '/hello'));
    far.destroy(new ProxyError(code, message));
    near.destroy();
  }
  const events = await scene.path.events(3);
  assert.deepEqual(
    events.map(({ errorCode, host, message = '' }) => [errorCode, host, message.length]),
    [
      ['tls_handshake', 'allowed.test', 300],
      ['timeout', 'allowed.test', 16],
      ['tls_handshake', 'allowed.test', 15],
    ],
  );
  assert.equal(scene.requests(), 0);
});
