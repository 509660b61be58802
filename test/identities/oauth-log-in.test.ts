// The log-in of an operator, with real gateways and a real command: two gateways on one PostgreSQL, and on one file, before a server that gives each
// refresh token once.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:https';
import { type IncomingMessage, request as requestHttp, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { parse, stringify } from 'yaml';
import { AuthorizationServer, type AuthorizationServerOptions } from '../support/authorization-server.ts';
import { findCanary } from '../support/canary.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { gatewayPair } from '../support/gateway-pair.ts';
import { askOn, GatewaySession } from '../support/gateway-session.ts';
import { patienceMs } from '../support/patience.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import {
  endChild,
  type GatewayProcess,
  launcher,
  startGatewayProcess,
  waitUntil,
} from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const isRun = process.env['TEST_IDENTITIES'] !== undefined;
const skip = isRun ? false : '`npm run test:identities` runs it';
const binaries = postgresBinaries();
const timeout = 10 * patienceMs;
const hosts = { 'login.test': '127.0.0.1', 'api.test': '127.0.0.1' };

interface Place {
  readonly server: AuthorizationServer;
  readonly set: Deployment;
  readonly other: GatewayProcess;
  readonly otherConfigFile: string;
  /** Through a tunnel of the gateway: the status, and which token the origin saw. */
  ask(gateway: GatewayProcess): Promise<{ readonly status: number; readonly token: string }>;
}

const authority = createTestAuthority();

async function listening(
  listener: RequestListener,
  name: string,
  stack: AsyncDisposableStack,
): Promise<number> {
  const server = createServer(authority.issue(name), listener);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on TCP has a port.
  return (server.address() as AddressInfo).port;
}

async function openPlace(
  store: 'postgres' | 'sqlite',
  options: Partial<AuthorizationServerOptions>,
  stack: AsyncDisposableStack,
): Promise<Place> {
  let server: AuthorizationServer | undefined;
  const loginPort = await listening(
    (request, response) => {
      void (async () => {
        const { method = 'GET', headers, url = '' } = request;
        const fields = Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, String(value)]),
        );
        const asked = { method, url: `https://login.test:${loginPort}${url}`, headers: fields };
        const given = await server?.handle({ ...asked, body: await text(request) });
        response.writeHead(given?.status ?? 500, given?.headers).end(given?.text);
      })().catch(() => response.destroy());
    },
    'login.test',
    stack,
  );
  const issuer = `https://login.test:${loginPort}`;
  const known = new AuthorizationServer({ issuer, ...options });
  server = known;
  const apiPort = await listening(
    (request, response) => {
      const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
      response.writeHead(known.isGood(token) ? 200 : 401).end(token.slice(-8));
    },
    'api.test',
    stack,
  );
  const rule = {
    name: 'api',
    hosts: 'api.test',
    ports: apiPort,
    addresses: '127.0.0.1/32',
    inject: 'tracker',
  };
  const deployed = {
    rules: [rule],
    hosts,
    authority,
    credentials: { tracker: { kind: 'oauth-login', issuer, clientId: 'client', scopes: ['read'] } },
  };
  // Sessions of the test come to each gateway itself.
  const direct = { ...deployed, config: { publicOrigins: undefined } };
  const pair = store === 'postgres' ? stack.use(await gatewayPair(direct)) : undefined;
  const set = pair?.set ?? stack.use(await deploy(deployed));
  const second = pair ?? (await onOneFile(set, stack));
  return {
    server: known,
    set,
    other: second.other,
    otherConfigFile: second.otherConfigFile,
    ask: async (gateway) => {
      const session = await GatewaySession.enrol({ ...set, gateway });
      const link = await session.openTunnel();
      const { status, text: body } = await askOn(link, `https://api.test:${apiPort}/`);
      link.destroy();
      return { status, token: body.split('\r\n\r\n')[1] ?? '' };
    },
  };
}

/** Another gateway with the same state folder. */
async function onOneFile(
  set: Deployment,
  stack: AsyncDisposableStack,
): Promise<Pick<Place, 'other' | 'otherConfigFile'>> {
  const otherConfigFile = join(set.directory, 'other.yaml');
  const written = parse(await readFile(set.configFile, 'utf8')) as Readonly<Record<string, unknown>>;
  await writeFile(otherConfigFile, stringify(written));
  return { otherConfigFile, other: stack.use(await startGatewayProcess(otherConfigFile)) };
}

/** As an operator does, with a browser that says yes. */
async function logIn({ set }: Place): Promise<void> {
  const args = ['credential', 'login', 'tracker', '--config', set.configFile, '--no-browser'];
  const child: ChildProcess = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await waitUntil(
      'it says which address to open',
      () => /open (https:\S+)\n/.test(said) || child.exitCode !== null,
    );
    const url = /open (https:\S+)\n/.exec(said)?.[1] ?? assert.fail(said);
    const { port, pathname, search } = new URL(url);
    const at = { host: '127.0.0.1', port, path: `${pathname}${search}`, ca: authority.caPem };
    const asked = get({ ...at, servername: 'login.test' });
    // What a request hears first is its response.
    const [page] = (await once(asked, 'response')) as [IncomingMessage];
    page.resume();
    const back = requestHttp(page.headers.location ?? '').end();
    await once(back, 'response');
    if (child.exitCode === null) await once(child, 'exit');
    assert.equal(child.exitCode, 0, said);
  } finally {
    await endChild(child);
  }
}

/** No token is in a file, an event or a log, but sealed. */
async function assertKept({ set, server, other }: Place, secrets: readonly string[]): Promise<void> {
  const files = globSync(join(set.directory, '**'), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  const said = [JSON.stringify(await set.audit()), set.gateway.log(), other.log()];
  const searched = [...secrets, server.current ?? ''].filter((secret) => secret !== '');
  assert.ok(searched.length > 0);
  for (const secret of searched)
    for (const octets of [...files, ...said]) assert.deepEqual(findCanary(octets, secret), []);
}

for (const store of ['sqlite', 'postgres'] as const) {
  const skipped =
    skip !== false ? skip : store === 'postgres' && 'missing' in binaries ? binaries.missing : false;

  test(
    `an operator logs in, two gateways renew what came of it, and a log-out ends it (${store})`,
    { skip: skipped, timeout },
    async () => {
      await using stack = new AsyncDisposableStack();
      const place = await openPlace(store, { accessSeconds: 5 }, stack);
      const { server, set, other } = place;
      const config = ['--config', set.configFile];
      const keys = JSON.parse(await mustRun(launcher, ['keys', 'show', ...config])) as {
        readonly keys: readonly Readonly<Record<string, string>>[];
      };
      assert.deepEqual(Object.keys(keys.keys[0] ?? {}), ['kty', 'crv', 'x', 'kid', 'alg', 'use']);
      assert.equal((await place.ask(set.gateway)).status, 502, 'nobody is logged in');
      await logIn(place);
      const first = server.current ?? assert.fail();
      const listed = await mustRun(launcher, ['credential', 'list', '--json', ...config]);
      assert.equal((JSON.parse(listed) as { readonly state: string }).state, 'held');
      for (let round = 0; server.refreshes < 3; round += 1) {
        assert.ok(round < 1_000);
        const both = await Promise.all([place.ask(set.gateway), place.ask(other)]);
        assert.deepEqual(
          both.map(({ status }) => status),
          [200, 200],
        );
      }
      assert.equal(server.reuses, 0);
      await assertKept(place, [first]);
      await mustRun(launcher, ['credential', 'logout', 'tracker', ...config]);
      assert.equal(server.current, undefined, 'revoked at the server');
      await waitUntil('no gateway uses it', async () => {
        const both = await Promise.all([place.ask(set.gateway), place.ask(other)]);
        return both.every(({ status }) => status === 502);
      });
      const actions = new Set((await set.audit()).map(({ action }) => action));
      assert.ok(actions.has('credential_logged_in') && actions.has('credential_logged_out'));
    },
  );

  for (const graceMs of [120_000, 0])
    test(
      graceMs > 0
        ? `a gateway that is killed with the next tokens in its hand loses none: the other one has them (${store})`
        : `where no server gives them twice, one alarm says to log in again, and nobody asks any more (${store})`,
      { skip: skipped, timeout },
      async () => {
        await using stack = new AsyncDisposableStack();
        let doomed: number | undefined;
        const place = await openPlace(
          store,
          {
            accessSeconds: 600,
            graceMs,
            // It stands still; the response arrives, and then it is killed: nothing of it was read.
            onRotated: () => {
              if (doomed !== undefined) process.kill(doomed, 'SIGSTOP');
            },
          },
          stack,
        );
        const { server, set, other } = place;
        await logIn(place);
        assert.equal((await place.ask(other)).status, 200);
        assert.equal((await place.ask(set.gateway)).status, 200);
        doomed = set.gateway.pid;
        // The token is refused: the gateway that sees it asks for the next one.
        server.forgetAccess();
        assert.equal((await place.ask(set.gateway)).status, 401);
        void place.ask(set.gateway).catch(() => undefined);
        await waitUntil('it has asked', () => server.refreshes === 1);
        const lost = server.current;
        process.kill(doomed, 'SIGKILL');
        doomed = undefined;
        await set.gateway.ended;
        if (graceMs > 0) {
          await waitUntil(
            'the other one has the next',
            async () => (await place.ask(other)).status === 200,
            3 * patienceMs,
          );
          assert.notEqual(server.current, lost);
          assert.equal(server.reuses, 0);
        } else {
          await waitUntil(
            'the other one is refused',
            async () => (await place.ask(other)).status === 502,
            3 * patienceMs,
          );
          const { refreshes } = server;
          const { stdout } = await runCommand(launcher, [
            'credential',
            'list',
            '--config',
            place.otherConfigFile,
          ]);
          assert.match(stdout, /refused \(invalid_grant\)/);
          assert.equal((await place.ask(other)).status, 502);
          assert.equal(server.refreshes, refreshes);
          await logIn(place);
          await waitUntil('after a log-in it goes on', async () => (await place.ask(other)).status === 200);
        }
        const actions = (await set.audit()).map(({ action }) => action);
        assert.equal(actions.filter((action) => action === 'credential_asked_again').length, 1);
        assert.equal(actions.filter((action) => action === 'credential_refused').length, graceMs > 0 ? 0 : 1);
      },
    );
}
