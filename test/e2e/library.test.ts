// The library beside a real gateway: the relay that works by itself, downloadCaBundle, and fetch for the program itself.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { downloadCaBundle, startUpstreamProxyRelay } from '../../src/index.ts';
import { readAuditFile } from '../../src/cli/operator/audit-file.ts';
import { RelayClient } from '../agent/support/relay-fixture.ts';
import { MemoryLogger } from '../agent/support/enrolled.ts';
import { get, sendRaw } from '../gateway/support/raw-http.ts';
import { runCommand } from '../support/command.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { tlsThrough } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  readonly origin: Origin;
  readonly gateway: Gateway;
  readonly folder: string;
  readonly auditFile: string;
  token(): string;
}

async function openScene(handler?: RequestListener): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await httpsOrigin({ authority, ...(handler === undefined ? {} : { handler }) }));
  const { path: folder } = stack.use(await temporaryDirectory());
  const policy = join(folder, 'policy.yaml');
  const rule = `{ name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }`;
  await writeFile(policy, `rules:\n  - ${rule}\n`);
  const ca = join(folder, 'origins.pem');
  await writeFile(ca, authority.caPem);
  const base = embeddedConfig(join(folder, 'state'), { policy: { mode: 'files', paths: [policy] } });
  const gateway = stack.use(
    await startGateway({
      ...base,
      upstream: { ...base.upstream, ca: [ca], hosts: { 'allowed.test': ['127.0.0.1'] } },
    }),
  );
  const key = await openSigningKey(base.stateDirectory);
  const { issuer, audience } = base.tokens;
  const owned = stack.move();
  return {
    origin,
    gateway,
    folder,
    auditFile: join(base.stateDirectory, 'audit.jsonl'),
    token: () =>
      issueSessionToken({ key, issuer, audience, subject: 'library', ttlSeconds: 60, nowMs: Date.now() }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test('a relay that was given a gateway, a name and a token serves its clients, and the audit has its name', async () => {
  await using scene = await openScene();
  const { gateway, origin, folder } = scene;
  const bundle = join(folder, 'bundle.pem');
  const logger = new MemoryLogger();
  const gatewayCa = gateway.serverCaPem;
  assert.equal(await downloadCaBundle(gateway.url, undefined, bundle, { gatewayCa, logger }), true);
  const token = scene.token();
  {
    await using relay = await startUpstreamProxyRelay({
      wsUrl: `${gateway.url.replace('https:', 'wss:')}/v1/code/upstreamproxy/ws`,
      sessionId: 'build-17',
      token,
      gatewayCa,
      environment: {},
      logger,
    });
    const ca = await readFile(bundle, 'utf8');
    const target = { relayPort: relay.port, host: 'allowed.test', port: origin.port, ca };
    const sockets = await Promise.all([tlsThrough(target), tlsThrough(target)]);
    for (const socket of sockets) {
      const response = await sendRaw(socket, get(`allowed.test:${origin.port}`, '/hello'));
      assert.equal(response.status, 200);
      assert.match(response.body, /hello/);
      socket.destroy();
    }
    // What the policy refuses is said inside TLS, and what is no authority by the gateway before it.
    const denied = await tlsThrough({ ...target, host: 'denied.test', port: 443 });
    assert.equal((await sendRaw(denied, get('denied.test', '/'))).status, 403);
    denied.destroy();
    const again = startUpstreamProxyRelay({
      gatewayUrl: gateway.url,
      token,
      gatewayCa,
      environment: {},
      logger,
    });
    await assert.rejects(again, { code: 'token_reused' });
    const itself = new RelayClient(relay.port);
    const { host } = new URL(gateway.url);
    itself.socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await itself.received('X-Deny-Reason: loop_detected');
    assert.match(itself.text, /^HTTP\/1\.1 508 /);
    itself.socket.destroy();
    await relay.close();
    // The file is written behind the events.
    await gateway.close();
    const events = await Array.fromAsync(readAuditFile(scene.auditFile));
    const told = JSON.stringify(events);
    assert.match(told, /"agentSession":"build-17"/);
    assert.match(told, new RegExp(`"${relay.sessionId}"`));
    assert.ok(!told.includes(token));
  }
  assert.deepEqual(
    logger.lines.filter((line) => line.startsWith('warn')),
    [],
  );
});

/** An origin that says what it saw, redirects and compresses. */
function sayingHandler(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'https://allowed.test');
  const status = Number(url.searchParams.get('redirect') ?? 0);
  void text(request).then((body) => {
    // A circle of one.
    if (url.pathname === '/circle') return response.writeHead(302, { location: '/circle' }).end();
    if (status > 0) return response.writeHead(status, { location: url.searchParams.get('to') ?? '/' }).end();
    if (url.pathname === '/none') return response.writeHead(204).end();
    const { authorization = 'none', 'content-type': type = 'none' } = request.headers;
    const said = `${request.method} ${url.pathname} ${authorization} ${type} ${body}`;
    if (url.pathname !== '/gzip') return response.writeHead(200, { 'x-two': ['a', 'b'] }).end(said);
    return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(said));
  });
}

for (const runtime of ['node', 'bun'] as const) {
  test(`fetch of a proxy goes through it, for the program itself, under ${runtime}`, async () => {
    await using scene = await openScene(sayingHandler);
    const { folder, gateway, origin } = scene;
    await writeFile(join(folder, 'token'), scene.token(), { mode: 0o600 });
    await writeFile(join(folder, 'gateway.pem'), gateway.serverCaPem ?? '');
    // What a text is, is said by the one and not by the other.
    const type = runtime === 'bun' ? 'none' : 'text/plain;charset=UTF-8';
    const script = fileURLToPath(new URL('../agent/support/own-fetch-script.ts', import.meta.url));
    const base = origin.url('allowed.test', '');
    const program = fileURLToPath(new URL(`../../node_modules/.bin/${runtime}`, import.meta.url));
    const { code, stdout, stderr } = await runCommand(program, [script, folder, gateway.url, base]);
    assert.equal(code, 0, stderr);
    const results = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(results, {
      'the global one': 'failed',
      get: [200, 'GET /hello none none ', `${base}/hello`, false, 'a, b'],
      post: [200, `POST /echo none ${type} body`, `${base}/echo`, false, 'a, b'],
      stream: [200, 'POST /echo none text/plain streamed', `${base}/echo`, false, 'a, b'],
      request: [200, `PUT /echo Bearer x ${type} put`, `${base}/echo`, false, 'a, b'],
      gzip: [200, 'GET /gzip none none ', `${base}/gzip`, false, null],
      none: [204, '', `${base}/none`, false, null],
      head: [200, '', `${base}/hello`, false, 'a, b'],
      'redirect 302 of a POST': [200, 'GET /next none none ', `${base}/next`, true, 'a, b'],
      'redirect 307 of a POST': [200, `POST /next none ${type} again`, `${base}/next`, true, 'a, b'],
      manual: [302, '', `${base}/?redirect=302&to=/next`, false, null],
      denied: 403,
      'redirect as an error': 'TypeError',
      'in a circle': 'TypeError',
      aborted: 'AbortError',
      'to nowhere': 'TypeError',
    });
  });
}
