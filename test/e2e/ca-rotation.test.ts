// The CA is rotated with the documented commands while a session and its connections stand.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, utimesSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';

import { fetchThroughRelay } from '../../src/agent/caller-fetch.ts';
import { openSession, type OpenSession, type SessionOptions } from '../../src/agent/session.ts';
import { splitPemCertificates } from '../../src/pki/pem.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { mustRun } from '../support/command.ts';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { launcher, waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

async function sessionOf(
  set: Deployment,
  {
    gatewayUrl = set.gateway.url,
    gatewayCa = set.gatewayCaFile,
    ...more
  }: Partial<Pick<SessionOptions, 'gatewayUrl' | 'gatewayCa' | 'tlsEndsIn'>> = {},
): Promise<OpenSession> {
  return await openSession({
    gatewayUrl,
    gatewayCa,
    token: { file: await set.issueToken() },
    dangerouslyAllowPlainGateway: false,
    relayPort: 0,
    dangerouslyAllowUnhardened: false,
    environment: {},
    scrubEnvironment: false,
    baseEnvironment: {},
    limits: defaultLimits,
    logger: silentLogger,
    trustLookIntervalMs: 50,
    ...more,
  });
}

test('a rotation of the CA by its commands breaks no request of a running session', async () => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  const rule = { name: 'api', hosts: ['api.test'], addresses: ['127.0.0.1/32'], ports: [origin.port] };
  const set = stack.use(await deploy({ authority, hosts: { 'api.test': '127.0.0.1' }, rules: [rule] }));
  // Where TLS ends in the agent, clients see nothing of this authority.
  const session = await sessionOf(set, { tlsEndsIn: 'gateway' });
  stack.defer(() => session.close());

  const published = (): string[] => splitPemCertificates(readFileSync(session.files.ownCa ?? '', 'utf8'));
  const target = (ca: string) => ({ relayPort: session.port, host: 'api.test', port: origin.port, ca });
  const request = async (ca: string): Promise<string> => {
    const agent = await agentThrough(target(ca));
    const body = await text(await requestThrough(agent, target(ca), { path: '/hello' }));
    agent.destroy();
    return body.trim();
  };
  const ca = (...args: readonly string[]) => ['ca', ...args, '--config', set.configFile];
  // In place of the 15 s after which it looks by itself.
  const look = (): void => void process.kill(set.gateway.pid, 'SIGUSR2');

  const [before = ''] = published();
  const standing = await agentThrough(target(before));
  stack.defer(() => standing.destroy());
  const throughStanding = async (): Promise<string> =>
    (await text(await requestThrough(standing, target(before), { path: '/hello' }))).trim();
  assert.deepEqual([await request(before), await throughStanding()], ['hello', 'hello']);

  await mustRunShared(ca('next'));
  look();
  await waitUntil('the gateway publishes both', () => published().length === 2);
  const [, next = ''] = published();
  // Both files are written at one time, and either may be there first.
  await waitUntil('the bundle has both', () => readFileSync(session.files.bundle, 'utf8').includes(next));
  assert.deepEqual([published()[0], await request(before)], [before, 'hello']);

  const early = await runShared(ca('switch'));
  assert.notEqual(early.code, 0);
  assert.match(early.stderr, /running sessions may lack it/);
  assert.deepEqual([await request(before), published()], ['hello', [before, next]]);
  const longAgo = Date.now() / 1000 - 120;
  utimesSync(join(set.directory, 'state/ca/next-ca.pem'), longAgo, longAgo);
  const bundle = published().join('');
  await mustRunShared(ca('switch'));
  look();
  await waitUntil('the other one signs', async () => {
    // What read its bundle since the first step sees nothing of the change.
    assert.equal(await request(bundle), 'hello');
    return await request(next).then(
      () => true,
      () => false,
    );
  });
  assert.equal(await throughStanding(), 'hello');

  await mustRunShared(ca('retire'));
  look();
  await waitUntil('the bundle has the next alone', () => published().length === 1);
  assert.deepEqual(published(), [next]);
  assert.deepEqual([await request(next), await throughStanding()], ['hello', 'hello']);
  await assert.rejects(agentThrough(target(before)));
});

/** A way to the gateway that a test can cut off; its port is known before that of the gateway. */
async function breakableWay(): Promise<AsyncDisposable & { url: string; to: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(way.to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const way = {
    url: `https://127.0.0.1:${port}`,
    to: 0,
    cut,
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
  return way;
}

test('a rotation of the authority of the own port breaks no session, and agents with the pin of before go on until the switch', async () => {
  await using stack = new AsyncDisposableStack();
  const way = stack.use(await breakableWay());
  const rules = [{ name: 'closed', hosts: 'closed.test', deny: 'It is closed.' }];
  // Renewed each second, so that the session hears of the next authority.
  const limits = { accessTokenLifetimeMs: 2000 };
  const config = { publicOrigins: [way.url], limits, audit: { file: 'audit.jsonl' } };
  const set = stack.use(await deploy({ rules, config }));
  const renewals = (): number =>
    readFileSync(join(set.directory, 'audit.jsonl'), 'utf8').split('"action":"renewed"').length;
  way.to = Number(new URL(set.gateway.url).port);
  const ca = (...args: readonly string[]) => ['ca', ...args, '--server', '--config', set.configFile];
  const shown = async (): Promise<string[]> =>
    splitPemCertificates(await mustRunShared(ca('show'))).map((one) => one.trim());
  const look = (): void => void process.kill(set.gateway.pid, 'SIGUSR2');
  /** A tunnel is needed for it. */
  const isServed = async ({ port, files: { bundle: bundlePath } }: OpenSession): Promise<boolean> =>
    (await fetchThroughRelay({ port, noProxy: '', bundlePath }, 'http://closed.test/').catch(() => undefined))
      ?.status === 403;
  const gatewayUrl = way.url;
  const running = await sessionOf(set, { gatewayUrl });
  stack.defer(() => running.close());
  const before = await shown();
  assert.equal(before.length, 1);

  await mustRunShared(ca('next'));
  look();
  const both = await shown();
  assert.deepEqual([both.length, both[0]], [2, before[0]]);
  const nextFile = join(set.directory, 'state/server/next-server-ca.pem');
  const shownFor = (seconds: number): void => {
    const since = Date.now() / 1000 - seconds;
    utimesSync(nextFile, since, since);
  };
  // However slow the command is.
  shownFor(-600);
  const early = await runShared(ca('switch'));
  assert.match(early.stderr, /until it is 2 s old, running sessions may lack it.*\[ca_key_unusable\]/);
  const told = renewals();
  await waitUntil('a renewal that began behind it', () => renewals() > told + 1);
  // Only the pin of before, while it overlaps.
  const old = await sessionOf(set, { gatewayUrl });
  stack.defer(() => old.close());
  shownFor(2);
  await mustRunShared(ca('switch'));
  look();
  await waitUntil('the other one signs', () => set.gateway.log().includes('another one signs now'));

  // Both find another certificate at their next connection.
  way.cut();
  await waitUntil('the running session is served', () => isServed(running));
  await waitUntil('the one that started in the overlap is served', () => isServed(old));
  await assert.rejects(sessionOf(set, { gatewayUrl }), { code: 'gateway_untrusted' });
  const start = await sessionOf(set, { gatewayUrl, gatewayCa: both.join('\n') });
  assert.equal(await isServed(start), true);
  await start.close();

  assert.match(await mustRunShared(ca('retire')), /published no more: 1/);
  look();
  assert.deepEqual(await shown(), [both[1]]);
  assert.equal(await isServed(running), true);
});

test('tokens of the next signing key start sessions, and those of the one before go on and end theirs', async () => {
  await using set = await deploy({ rules: [{ name: 'none', hosts: 'none.test' }] });
  const keys = async (...args: readonly string[]): Promise<string> =>
    await mustRunShared(['keys', ...args, '--config', set.configFile]);
  const earlier = await sessionOf(set);
  const waiting = await set.issueToken();

  await keys('next');
  const early = await runShared(['keys', 'switch', '--config', set.configFile]);
  assert.match(early.stderr, /may not take what it signs.*\[signing_key_unusable\]/);
  process.kill(set.gateway.pid, 'SIGUSR2');
  await keys('switch', '--at-once');
  process.kill(set.gateway.pid, 'SIGUSR2');
  await waitUntil('the next key signs', () => set.gateway.log().includes('another key signs tokens now'));
  const later = await sessionOf(set);
  // A token that was out, and an end that shows the access token of before.
  const options = set.agentOptions(waiting);
  await mustRun(launcher, ['run', '--isolate', 'off', '--quiet', ...options, '--', 'true']);
  await earlier.close();
  const ended = (await set.audit()).filter(({ action }) => action === 'ended');
  assert.ok(
    ended.some((event) => event['sessionId'] === earlier.id),
    JSON.stringify(ended),
  );

  assert.match(await keys('retire'), /taken no more/);
  await later.close();
});
