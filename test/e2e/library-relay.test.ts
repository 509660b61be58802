// The relay of the library that works by itself, and downloadCaBundle, beside a real gateway.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { downloadCaBundle, startUpstreamProxyRelay } from '../../src/index.ts';
import { readAuditFile } from '../../src/cli/operator/audit-file.ts';
import { RelayClient } from '../agent/support/relay-fixture.ts';
import { MemoryLogger } from '../agent/support/enrolled.ts';
import { get, sendRaw } from '../gateway/support/raw-http.ts';
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

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await httpsOrigin({ authority }));
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
    const text = JSON.stringify(events);
    assert.match(text, /"agentSession":"build-17"/);
    assert.match(text, new RegExp(`"${relay.sessionId}"`));
    assert.ok(!text.includes(token));
  }
  assert.deepEqual(
    logger.lines.filter((line) => line.startsWith('warn')),
    [],
  );
});
