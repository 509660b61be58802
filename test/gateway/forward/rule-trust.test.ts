import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { connect } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { RuleTrust } from '../../../src/gateway/forward/rule-trust.ts';
import type { AllowDecision } from '../../../src/policy/decision.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { http2Origin } from '../support/http2-origin.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

/** Signs the origins; no root of the gateway. */
const internal = createTestAuthority();
const roots = createTestAuthority();

function decision(trust?: readonly string[]): AllowDecision {
  const fixed = { effect: 'allow', handling: 'intercept', inject: [], addresses: [], limits: {} } as const;
  return { ...fixed, rule: { name: 'r' }, ...(trust === undefined ? {} : { trust }) };
}

/** `/in…` is of the rule that pins the authority of the origin, everything else of one that does not. */
function pathTo(port: number, more: Partial<Parameters<typeof openRequestPath>[0]> = {}): RequestPath {
  const inject = more.credentials === undefined ? '' : ', inject: it';
  return openRequestPath({
    policy: `rules:
  - { name: pinned, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8, paths: /in*, trust: internal${inject} }
  - { name: plain, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }
`,
    hosts: ['allowed.test'],
    trust: [roots.caPem],
    ruleTrust: { internal: [internal.caPem] },
    ...more,
  });
}

interface EchoOrigin extends AsyncDisposable {
  readonly port: number;
  readonly seen: string[];
}

/** Over HTTP/1.1, with every connection kept; upgrades are switched and echoed. */
async function keepAliveOrigin(options: Parameters<typeof createServer>[0] = {}): Promise<EchoOrigin> {
  const seen: string[] = [];
  const server = createServer({ ...internal.issue('allowed.test'), ...options }, (request, response) => {
    seen.push(request.url ?? '');
    request.resume().once('end', () => response.end('fine'));
  });
  server.on('upgrade', (request, socket) => {
    seen.push(request.url ?? '');
    socket.on('error', () => undefined).end('HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const requests = {
  GET: (at: string, path: string) => get(at, path),
  POST: (at: string, path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi`,
  WebSocket: (at: string, path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
};

test('what a rule pins verifies its own requests, and no connection made under it serves another rule', async () => {
  await using origin = await keepAliveOrigin();
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  for (const [what, request] of Object.entries(requests)) {
    const pinned = await sendRaw(await path.tls(at), request(at, '/in'));
    assert.equal(pinned.status, what === 'WebSocket' ? 403 : 200, what);
    assert.notEqual(pinned.headers.get('x-deny-reason'), 'origin_untrusted');
    const plain = await sendRaw(await path.tls(at), request(at, '/out'));
    assert.equal(plain.status, 502, what);
    assert.equal(plain.headers.get('x-deny-reason'), 'origin_untrusted', what);
  }
  assert.deepEqual(origin.seen, ['/in', '/in', '/in']);
});

test('an HTTP/2 connection made under the trust of one rule does not carry the requests of another', async () => {
  await using origin = await http2Origin(internal, true);
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connect(`https://${at}`, { createConnection: () => socket });
  const statuses: unknown[] = [];
  for (const target of ['/in', '/out', '/in']) {
    const stream = session.request({ ':path': target });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    stream.resume();
    await once(stream, 'end');
    statuses.push(headers[':status']);
  }
  session.destroy();
  assert.deepEqual(statuses, [200, 502, 200]);
  assert.equal(origin.seen.length, 2);
});

test("what a rule pins counts beside the gateway's roots, not in their place", async () => {
  await using origin = await keepAliveOrigin(roots.issue('allowed.test'));
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  assert.equal((await sendRaw(await path.tls(at), get(at, '/in'))).status, 200);
});

test('a rule shows its client certificate to an origin that only its own trust verifies', async () => {
  await using directory = await temporaryDirectory();
  const identity = internal.issue('client.test');
  const file = (name: string): string => join(directory.path, name);
  await writeFile(file('client.pem'), identity.cert);
  await writeFile(file('client.key'), identity.key, { mode: 0o600 });
  // The certificates of the fixture are for servers, which the origin does not mind.
  await using origin = await keepAliveOrigin({
    requestCert: true,
    rejectUnauthorized: false,
    ca: internal.caPem,
  });
  const credentials = {
    it: { kind: 'mtls', certificate: file('client.pem'), source: { file: file('client.key') } },
  } as const;
  await using path = pathTo(origin.port, { credentials });
  const at = `allowed.test:${origin.port}`;
  assert.equal((await sendRaw(await path.tls(at), get(at, '/in'))).status, 200);
  assert.equal((await sendRaw(await path.tls(at), get(at, '/out'))).status, 502);
  const [event] = await path.events(2);
  assert.deepEqual(event?.injected, ['it']);
});

test('a file that is missing or holds no authority is told at the start with its key', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'ca.pem');
  const refused = { code: 'config_invalid', message: /^trust\.internal\.file: .*ca\.pem/ };
  await assert.rejects(RuleTrust.open({ internal: file }), refused);
  await writeFile(file, 'not a certificate');
  await assert.rejects(RuleTrust.open({ internal: file }), refused);
  await writeFile(file, internal.issue('leaf.test').cert.split('-----END CERTIFICATE-----')[0] ?? '');
  await assert.rejects(RuleTrust.open({ internal: file }), refused);
});

test('files are read again on reload, all or none', async () => {
  await using directory = await temporaryDirectory();
  const files = { one: join(directory.path, 'one.pem'), two: join(directory.path, 'two.pem') };
  await writeFile(files.one, internal.caPem);
  await writeFile(files.two, internal.caPem);
  const trust = await RuleTrust.open(files);
  const of = (name: string): readonly string[] | undefined => trust.tlsOf(decision([name]), undefined)?.ca;
  const before = of('one');
  await writeFile(files.one, roots.caPem);
  await rm(files.two);
  await assert.rejects(trust.reload(), { code: 'config_invalid', message: /trust\.two/ });
  assert.deepEqual(of('one'), before);
  await writeFile(files.two, roots.caPem);
  await trust.reload();
  assert.notDeepEqual(of('one'), before);
});

test('a rule without trust has the TLS of its credential and nothing else', () => {
  const trust = new RuleTrust({}, new Map([['a', ['A']]]));
  assert.equal(trust.tlsOf(decision(), undefined), undefined);
  assert.deepEqual(trust.tlsOf(decision(['a']), { cert: 'c', key: 'k' }), { cert: 'c', key: 'k', ca: ['A'] });
  assert.throws(() => trust.tlsOf(decision(['b']), undefined), { code: 'config_invalid' });
});
