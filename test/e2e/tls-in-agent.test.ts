// Where TLS of clients ends: a real gateway, agents before it and behind a balancer that ends the TLS of their links.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { connect as connectTls, createServer as createTls, type SecureVersion } from 'node:tls';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts';
import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { makeNextSigningKey, switchSigningKey } from '../../src/gateway/sessions/signing-key-rotation.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { openSession } from '../../src/agent/session.ts';
import type { OpenSession } from '../../src/agent/session.ts';
import { eventually, MemoryLogger } from '../agent/support/enrolled.ts';
import { get, sendRaw } from '../gateway/support/raw-http.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { waitUntil } from '../support/program.ts';
import { freePort } from '../support/free-port.ts';
import { patienceMs } from '../support/patience.ts';
import { httpsOrigin } from '../support/origin.ts';
import { connectThrough, type ProxyTarget, tlsThrough } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority, testAuthorityName } from '../support/test-authority.ts';

const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  readonly gateway: Gateway;
  /** By the balancer, which speaks this version of TLS with agents. */
  balanced(maxVersion: SecureVersion): string;
  /** Of the gateway. */
  readonly stateDirectory: string;
  readonly interposer: Interposer;
  open(
    url: string,
    changes?: { readonly tlsEndsIn?: 'agent' | 'gateway' },
  ): Promise<{ session: OpenSession; lines: readonly string[] }>;
  writePolicy(tls: 'intercept' | 'passthrough'): Promise<void>;
  /** Who signed what a client of the session is shown for the host; and what it gets. */
  ask(session: OpenSession): Promise<readonly [issuer: string, status: number]>;
  target(session: OpenSession): ProxyTarget;
}

/** Stands between agents and the gateway. */
interface Interposer {
  readonly url: string;
  /** Breaks the connections that it let through. */
  drop(): void;
  /** As `drop`, and from now on it ends the TLS of the next ones. */
  turn(): void;
  /** What it read of agents since then. */
  read(): string;
}

async function listening(server: TcpServer, stack: AsyncDisposableStack): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  // It listens on an address and a port.
  return (server.address() as AddressInfo).port;
}

/** Where one ends, the other does. */
function tie(front: Duplex, far: Duplex): void {
  for (const [one, other] of [
    [front, far],
    [far, front],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
}

function bridge(front: Duplex, far: Duplex): void {
  tie(front, far);
  front.pipe(far).pipe(front);
}

async function openInterposer(
  back: { readonly port: number; readonly ca: string },
  stack: AsyncDisposableStack,
): Promise<Interposer> {
  const through = new Set<Duplex>();
  let read: Buffer[] | undefined;
  const ending = createTls(authority.issue('127.0.0.1'), (front) => {
    front.on('data', (chunk: Buffer) => read?.push(chunk));
    bridge(front, connectTls({ port: back.port, host: '127.0.0.1', ca: back.ca }));
  });
  const server = createServer((front) => {
    if (read !== undefined) return void ending.emit('connection', front);
    through.add(front);
    bridge(front, connectTcp(back.port, '127.0.0.1'));
  });
  const drop = (): void => {
    for (const front of through) front.destroy();
  };
  return {
    url: `https://127.0.0.1:${await listening(server, stack)}`,
    drop,
    turn: () => {
      read = [];
      drop();
    },
    read: () => Buffer.concat(read ?? []).toString('latin1'),
  };
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
  const balancers = new Map<SecureVersion, string>();
  const back = { port: 0, ca: '' };
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const server = createTls({ ...authority.issue('127.0.0.1'), maxVersion }, (front) => {
      bridge(front, connectTls({ port: back.port, host: '127.0.0.1', ca: back.ca }));
    });
    balancers.set(maxVersion, `https://127.0.0.1:${await listening(server, stack)}`);
  }
  const urlOf = (version: SecureVersion): string => balancers.get(version)!;
  const interposer = await openInterposer(back, stack);
  const port = await freePort();
  const gateway = stack.use(
    await startGateway({
      ...base,
      listen: { address: '127.0.0.1', port },
      publicOrigins: [`https://127.0.0.1:${port}`, urlOf('TLSv1.3'), urlOf('TLSv1.2'), interposer.url],
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
  const target: Scene['target'] = ({ port: relayPort, files }) => ({
    relayPort,
    host: 'allowed.test',
    port: origin.port,
    ca: `${readFileSync(files.bundle, 'utf8')}${authority.caPem}`,
  });
  const ask: Scene['ask'] = async (session) => {
    const tls = await tlsThrough(target(session));
    const issuer = String(tls.getPeerX509Certificate()?.issuer);
    const { status } = await sendRaw(tls, get(`allowed.test:${origin.port}`, '/hello'));
    return [issuer.replace(/ [0-9a-f]{8}$/, ''), status];
  };
  return {
    gateway,
    balanced: urlOf,
    stateDirectory: base.stateDirectory,
    interposer,
    open,
    ask,
    target,
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
  assert.deepEqual(await scene.ask(session), [`CN=${testAuthorityName}`, 200]);
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

test('what lets the first link of a session through and ends the TLS of the next reads nothing of a client, even of one whose handshake spans both', async () => {
  await using scene = await openScene();
  const { interposer } = scene;
  const { session, lines } = await scene.open(interposer.url);
  assert.equal(session.posture.tlsEndsIn, 'agent');
  await using client = await slowClient(scene.target(session));
  interposer.turn();
  await eventually(() => lines.some((line) => line.includes('is up again')), 'a second tunnel');
  client.goOn();
  await client.closed;
  // It reads the link itself, and nothing that was in the client's TLS.
  assert.match(interposer.read(), /Upgrade: websocket/);
  assert.deepEqual(await scene.ask(session), ['CN=upstreamproxy CA', 200]);
  assert.match(interposer.read(), /allowed\.test:/);
  assert.doesNotMatch(interposer.read(), /GET \/(?:secret|hello)/);
});

test('a session goes on with TLS that ends in the agent when its tunnel comes back after the gateway switched its signing key', async () => {
  await using scene = await openScene();
  const { interposer, gateway, stateDirectory } = scene;
  const { session, lines } = await scene.open(interposer.url);
  await makeNextSigningKey(stateDirectory);
  await gateway.reload();
  await switchSigningKey(stateDirectory, { nowMs: Date.now(), atOnce: true });
  await gateway.reload();
  interposer.drop();
  await eventually(() => lines.some((line) => line.includes('is up again')), 'a second tunnel');
  await eventuallyAsks(scene, session, 'CN=upstreamproxy session');
  assert.deepEqual(
    lines.filter((line) => /TLS of clients/.test(line)),
    [],
  );
  // One loss, one tunnel.
  assert.equal(lines.filter((line) => line.includes('is up again')).length, 1);
});

/** What is agreed for a tunnel comes behind the tunnel itself. */
async function eventuallyAsks(scene: Scene, session: OpenSession, issuer: string): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const [seen, status] = await scene.ask(session);
    assert.equal(status, 200);
    if (seen === issuer) return;
    assert.ok(performance.now() < deadlineMs, `a client is shown a certificate of ${seen}`);
  }
}

/** A client that sends a request as soon as it may, and nothing behind its hello before it is told to go on. */
async function slowClient(
  to: ProxyTarget,
): Promise<AsyncDisposable & { goOn(): void; closed: Promise<unknown> }> {
  await using stack = new AsyncDisposableStack();
  const relay = await connectThrough(to);
  const replied = once(relay, 'data');
  const goOn = Promise.withResolvers<void>();
  const slow = createServer((front) => {
    tie(front, relay);
    relay.pipe(front);
    front.once('data', (hello: Buffer) => {
      front.pause();
      relay.write(hello);
      void goOn.promise.then(() => front.pipe(relay));
    });
  });
  const tls = connectTls({
    port: await listening(slow, stack),
    host: '127.0.0.1',
    servername: to.host,
    ca: to.ca,
    ALPNProtocols: ['http/1.1'],
  });
  tls.on('error', () => undefined);
  stack.defer(() => void tls.destroy());
  tls.write(get(`${to.host}:${to.port}`, '/secret'));
  const closed = new Promise((resolve) => tls.resume().once('close', resolve));
  await replied;
  const owned = stack.move();
  return { goOn: goOn.resolve, closed, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A client whose TLS ended in the agent, and whose connection is there to be asked again. */
async function keptClient(scene: Scene, session: OpenSession): Promise<Duplex> {
  const tls = await tlsThrough(scene.target(session));
  assert.match(String(tls.getPeerX509Certificate()?.issuer), /^CN=upstreamproxy session /);
  await askAgain(scene, session, tls);
  return tls;
}

async function askAgain(scene: Scene, session: OpenSession, tls: Duplex): Promise<string> {
  const { host, port } = scene.target(session);
  const response = once(tls, 'data');
  tls.write(`GET /hello HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  const [bytes] = (await response) as [Buffer];
  const text = bytes.toString('latin1');
  assert.match(text, /^HTTP\/1\.1 200 /);
  return text;
}

test('what ends the TLS of the next link of a tunnel gets nothing of its streams: they are reset, which is an alarm', async () => {
  await using scene = await openScene();
  const { interposer, gateway } = scene;
  const { session } = await scene.open(interposer.url);
  const tls = await keptClient(scene, session);
  // A reset: what was cut must not look complete.
  const failed = once(tls, 'error');
  interposer.turn();
  const [{ code }] = (await failed) as [NodeJS.ErrnoException];
  assert.equal(code, 'ECONNRESET');
  assert.match(interposer.read(), /Upstreamproxy-Resume: [\w-]{43}\.1/i);
  assert.doesNotMatch(interposer.read(), /GET \/hello/);
  const refused = async (): Promise<boolean> =>
    (await gateway.store.audit.query({ limit: 100 })).some(({ action }) => action === 'resume_refused');
  await waitUntil('the alarm', refused);
});

test('streams whose TLS ended in the agent go on at a gateway that has switched its signing key', async () => {
  await using scene = await openScene();
  const { interposer, gateway, stateDirectory } = scene;
  const { session } = await scene.open(interposer.url);
  const tls = await keptClient(scene, session);
  await makeNextSigningKey(stateDirectory);
  await gateway.reload();
  await switchSigningKey(stateDirectory, { nowMs: Date.now(), atOnce: true });
  await gateway.reload();
  interposer.drop();
  await askAgain(scene, session, tls);
  tls.destroy();
});

test('a gateway that drains takes back a tunnel that lost its connection, and sends its clients away with their next response', async () => {
  await using scene = await openScene();
  const { interposer, gateway } = scene;
  const { session } = await scene.open(interposer.url);
  const tls = await keptClient(scene, session);
  const ended = once(tls, 'end');
  const closed = gateway.close({ drainMs: patienceMs });
  const readiness = await fetchThrough(gateway, '/readyz');
  assert.match(readiness, /^HTTP\/1\.1 503 /);
  interposer.drop();
  assert.match(await askAgain(scene, session, tls), /\r\nConnection: close\r\n/i);
  await ended;
  tls.destroy();
  await closed;
  await assert.rejects(fetchThrough(gateway, '/readyz'), { code: 'ECONNREFUSED' });
});

/** What the public port responds. */
async function fetchThrough({ port, serverCaPem: ca }: Gateway, path: string): Promise<string> {
  const tls = connectTls({ port, host: '127.0.0.1', ca });
  await once(tls, 'secureConnect');
  return (await sendRaw(tls, get('127.0.0.1', path))).head;
}
