// Who resumes the TLS session of whom, over the whole way to origins. A resumed handshake verifies no certificate, so whatever
// would make another verification, or would let an origin tell two workloads apart, has to begin anew.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { ByProtocolForwarder } from '../../../src/gateway/forward/forward-by-protocol.ts';
import type { ForwardRequest } from '../../../src/gateway/forward/forwarder.ts';
import { createDialer } from '../../../src/net/dialer.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';

const authority = createTestAuthority();
const other = createTestAuthority();

interface Scene {
  readonly send: (change?: Partial<ForwardRequest>) => Promise<void>;
  /** Whether each handshake that came to its end resumed a session. */
  readonly resumed: boolean[];
}

/** An origin that closes behind each response, so that every request begins with a handshake. */
async function openScene(t: TestContext, protocol: 'http/1.1' | 'h2'): Promise<Scene> {
  const resumed: boolean[] = [];
  const isHttp2 = protocol === 'h2';
  const options = {
    ...authority.issue('origin.test'),
    ALPNProtocols: [protocol],
    requestCert: true,
    rejectUnauthorized: false,
  };
  const server = isHttp2 ? createSecureServer(options) : createServer(options);
  server.on('secureConnection', (socket: TLSSocket) => resumed.push(socket.isSessionReused()));
  server.on(
    'request',
    (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
      request.resume();
      if (response instanceof ServerResponse) response.setHeader('connection', 'close').end('x');
      else {
        response.end('x');
        response.stream.session?.close();
      }
    },
  );
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const resolver = { resolve: () => Promise.resolve(['127.0.0.1']) };
  const dialer = createDialer({ resolver, trust: [], limits: defaultLimits });
  const forwarder = new ByProtocolForwarder(dialer, defaultLimits);
  t.after(() => forwarder[Symbol.asyncDispose]());
  const base = forwardRequestTo('origin.test', new AbortController().signal);
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  const destination = { ...base.head.destination, port };
  const head = { ...base.head, destination, httpVersion: isHttp2 ? '2' : '1.1' } as const;
  const send = async (change: Partial<ForwardRequest> = {}): Promise<void> => {
    const request = { ...base, head, addresses: ['127.0.0.0/8'], tls: { ca: [authority.caPem] }, ...change };
    await forwarder.forward(request, anyReceiver);
    // A connection that is being closed is none for the next.
    await new Promise((next) => setImmediate(next));
  };
  return { send, resumed };
}

const clientIdentity = createTestAuthority().issue('client.test');

/** What separates two requests to one origin. */
const separating: readonly (readonly [string, Partial<ForwardRequest>])[] = [
  ['another principal', { principalId: 'q' }],
  ['another session of the principal', { sessionId: 'another' }],
  ['a credential', { credentials: ['key'] }],
  ['another set of credentials', { credentials: ['key', 'more'] }],
  ['another network that the rule opens', { addresses: ['127.0.0.0/8', '10.0.0.0/8'] }],
  ['one more authority that is trusted', { tls: { ca: [authority.caPem, other.caPem] } }],
  ['an identity of TLS', { tls: { ca: [authority.caPem], ...clientIdentity } }],
];

for (const protocol of ['http/1.1', 'h2'] as const) {
  test(`over ${protocol} a session is resumed by the same, and by no request that differs in what separates`, async (t) => {
    const { send, resumed } = await openScene(t, protocol);
    await send();
    await send();
    await send();
    assert.ok(resumed.length >= 3 && resumed.slice(1).every(Boolean), `the same resumes: ${resumed.join()}`);
    for (const [what, change] of separating) {
      const before = resumed.length;
      await send(change);
      assert.equal(resumed[before], false, what);
    }
  });

  test(`over ${protocol} nothing is resumed that the trust of now would not verify`, async (t) => {
    const { send, resumed } = await openScene(t, protocol);
    await send();
    await send();
    assert.equal(resumed.at(-1), true);
    const before = resumed.length;
    // The authority was taken out of the file that the rule names, and the gateway told to read it again.
    await assert.rejects(send({ tls: { ca: [other.caPem] } }), { code: 'origin_untrusted' });
    await assert.rejects(send({ tls: {} }), { code: 'origin_untrusted' });
    assert.deepEqual(resumed.slice(before).filter(Boolean), []);
    await send();
    assert.equal(resumed.at(-1), true);
  });
}

test('a request with a body resumes like any other, on a connection of its own', async (t) => {
  const { send, resumed } = await openScene(t, 'http/1.1');
  for (let n = 0; n < 4; n += 1) await send({ body: Readable.from([Buffer.from('abc')]), bodyLength: 3 });
  // The first asks for HTTP/2 as well: what it negotiates is kept for that.
  assert.deepEqual(resumed, [false, false, true, true]);
});
