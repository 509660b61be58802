// Where TLS of clients ends: a real gateway, agents before it and behind a balancer that ends the TLS of their links.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls, createServer as createTls, type SecureVersion, type Server } from 'node:tls';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { openSession } from '../../src/agent/session.ts';
import type { OpenSession } from '../../src/agent/session.ts';
import { MemoryLogger } from '../agent/support/enrolled.ts';
import { get, sendRaw } from '../gateway/support/raw-http.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { freePort } from '../support/free-port.ts';
import { httpsOrigin } from '../support/origin.ts';
import { tlsThrough } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  readonly gateway: Gateway;
  /** By the balancer, which speaks this version of TLS with agents. */
  balanced(maxVersion: SecureVersion): string;
  open(
    url: string,
    changes?: { readonly tlsEndsIn?: 'agent' | 'gateway' },
  ): Promise<{ session: OpenSession; lines: readonly string[] }>;
  writePolicy(tls: 'intercept' | 'passthrough'): Promise<void>;
  /** Who signed what a client of the session is shown for the host; and what it gets. */
  ask(session: OpenSession): Promise<readonly [issuer: string, status: number]>;
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await httpsOrigin({ authority }));
  const { path: folder } = stack.use(await temporaryDirectory());
  const policy = join(folder, 'policy.yaml');
  const ca = join(folder, 'origins.pem');
  const writePolicy = async (tls: string): Promise<void> => {
    const how = tls === 'passthrough' ? ', tls: passthrough' : '';
    const rule = `{ name: one, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8${how} }`;
    await writeFile(policy, `rules:\n  - ${rule}\n`);
  };
  await writePolicy('intercept');
  await writeFile(ca, authority.caPem);
  const base = embeddedConfig(join(folder, 'state'), { policy: { mode: 'files', paths: [policy] } });
  // Known before the gateway starts, so that it is one of its origins.
  const balancers = new Map<SecureVersion, Server>();
  const back = { port: 0, ca: '' };
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const server = createTls({ ...authority.issue('127.0.0.1'), maxVersion }, (front) => {
      const far = connectTls({ port: back.port, host: '127.0.0.1', ca: back.ca });
      for (const [one, other] of [
        [front, far],
        [far, front],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      front.pipe(far).pipe(front);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(() => void server.close());
    balancers.set(maxVersion, server);
  }
  const urlOf = (version: SecureVersion): string => {
    // It listens on an address and a port.
    const { port } = balancers.get(version)!.address() as AddressInfo;
    return `https://127.0.0.1:${port}`;
  };
  const port = await freePort();
  const gateway = stack.use(
    await startGateway({
      ...base,
      listen: { address: '127.0.0.1', port },
      publicOrigins: [`https://127.0.0.1:${port}`, urlOf('TLSv1.3'), urlOf('TLSv1.2')],
      upstream: { ...base.upstream, ca: [ca], hosts: { 'allowed.test': ['127.0.0.1'] } },
    }),
  );
  back.port = gateway.port;
  back.ca = gateway.serverCaPem ?? '';
  const key = await openSigningKey(base.stateDirectory);
  const owned = stack.move();
  let count = 0;
  const open: Scene['open'] = async (url, changes = {}) => {
    count += 1;
    const tokenFile = join(folder, `token-${count}`);
    const token = issueSessionToken({ ...base.tokens, key, subject: 'test', nowMs: Date.now() });
    await writeFile(tokenFile, token, { mode: 0o600 });
    const logger = new MemoryLogger();
    const session = await openSession({
      gatewayUrl: url,
      token: { file: tokenFile },
      gatewayCa: `${gateway.serverCaPem ?? ''}${authority.caPem}`,
      dangerouslyAllowPlainGateway: false,
      systemCaPath: ca,
      relayPort: 0,
      dangerouslyAllowUnhardened: false,
      environment: {},
      scrubEnvironment: false,
      baseEnvironment: {},
      tlsEndsIn: 'agent',
      limits: defaultLimits,
      logger,
      ...changes,
    });
    owned.defer(() => session.close());
    return { session, lines: logger.lines };
  };
  const ask: Scene['ask'] = async ({ port: relayPort, files }) => {
    const to = {
      relayPort,
      host: 'allowed.test',
      port: origin.port,
      ca: `${readFileSync(files.bundle, 'utf8')}${authority.caPem}`,
    };
    const tls = await tlsThrough(to);
    const issuer = String(tls.getPeerX509Certificate()?.issuer);
    const { status } = await sendRaw(tls, get(`allowed.test:${origin.port}`, '/hello'));
    return [issuer.replace(/ [0-9a-f]{8}$/, ''), status];
  };
  return {
    gateway,
    balanced: urlOf,
    open,
    ask,
    writePolicy,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test('TLS of clients ends in the agent where nobody else ends that of its link, and in the gateway where it is to', async () => {
  await using scene = await openScene();
  const { session, lines } = await scene.open(scene.gateway.url);
  assert.equal(session.posture.tlsEndsIn, 'agent');
  assert.deepEqual(await scene.ask(session), ['CN=upstreamproxy session', 200]);
  const other = await scene.open(scene.gateway.url, { tlsEndsIn: 'gateway' });
  assert.equal(other.session.posture.tlsEndsIn, 'gateway');
  assert.deepEqual(await scene.ask(other.session), ['CN=upstreamproxy CA', 200]);
  // A policy that passes the host through is known to the agent before its next connection.
  await scene.writePolicy('passthrough');
  await scene.gateway.reload();
  const passed = 'CN=upstreamproxy CA';
  assert.deepEqual(await scene.ask(session), [passed, 200]);
  await scene.writePolicy('intercept');
  await scene.gateway.reload();
  assert.deepEqual(await scene.ask(session), ['CN=upstreamproxy session', 200]);
  assert.deepEqual(
    lines.filter((line) => line.includes('TLS of clients')),
    [],
  );
});

test('a balancer that ends the TLS of the link and makes it anew switches nothing on: TLS ends in the gateway, and that is said', async () => {
  await using scene = await openScene();
  for (const [version, reason] of [
    ['TLSv1.3', /not signed by the gateway for this connection: something between the two ends TLS/],
    ['TLSv1.2', /not TLS 1\.3/],
  ] as const) {
    const { session, lines } = await scene.open(scene.balanced(version));
    assert.equal(session.posture.tlsEndsIn, 'gateway');
    const warnings = lines.filter((line) => line.includes('TLS of clients ends in the gateway'));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', reason);
    // What the client is shown was signed outside of the container, and is served as ever.
    assert.deepEqual(await scene.ask(session), ['CN=upstreamproxy CA', 200]);
  }
});
