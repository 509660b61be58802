// A command with a session that may less than the one it is started in, made by the agent of the container.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';

import { stringify } from 'yaml';

import { narrowSession } from '../../src/index.ts';
import { captureObstacle } from '../support/capture-obstacle.ts';
import { mustRun } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { launcher, waitUntil } from '../support/program.ts';
import { relayHunt } from '../support/relay-hunt.ts';
import { createTestAuthority } from '../support/test-authority.ts';

/** Says what each method gets: a status, or `refused`. */
const askAll = `
const [url] = process.argv.slice(1);
const statuses = [];
for (const method of ['GET', 'POST', 'DELETE'])
  statuses.push(await fetch(url, { method }).then(({ status }) => status, () => 'refused'));
console.log(JSON.stringify(statuses));
`;

const noJail = captureObstacle();

describe('a session that may less, in a container', () => {
  const stack = new AsyncDisposableStack();
  let set: Deployment;
  let agent: AgentProcess;
  let url: string;
  let port: number;

  before(async () => {
    const authority = createTestAuthority();
    const origin = createServer(authority.issue('api.test'), (_request, response) => response.end('hello'));
    stack.defer(() => {
      origin.closeAllConnections();
      origin.close();
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    // A server that listens on a port has an AddressInfo.
    ({ port } = origin.address() as AddressInfo);
    url = `https://api.test:${port}/x`;
    const rule = {
      name: 'api',
      hosts: ['api.test'],
      ports: [port],
      addresses: ['127.0.0.1/32'],
      methods: ['GET', 'POST'],
    };
    set = stack.use(await deploy({ rules: [rule], hosts: { 'api.test': '127.0.0.1' }, authority }));
    agent = stack.use(await set.startAgent());
  });
  after(() => stack.disposeAsync());

  const policyFile = async (name: string, methods: readonly string[]): Promise<string> => {
    const file = join(set.directory, `${name}.yaml`);
    await writeFile(file, stringify({ rules: [{ name, hosts: 'api.test', ports: port, methods }] }));
    return file;
  };
  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    HOME: set.directory,
    ...agent.env,
  });
  const narrowed = (options: readonly string[], command: readonly string[]): ChildProcess =>
    spawn(launcher, ['session', 'narrow', ...options, '--', ...command], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const outcome = async (child: ChildProcess): Promise<{ code: unknown; out: string; said: string }> => {
    assert.ok(child.stdout !== null && child.stderr !== null);
    const [out, said, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    return { code, out, said };
  };
  const sessions = async (): Promise<readonly { id: string; posture: readonly string[] }[]> =>
    (await mustRun(launcher, ['session', 'list', '--json', '--config', set.configFile]))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { id: string; posture: readonly string[] });

  test('without a jail its requests are those of the smaller session, and it ends with the command', async () => {
    const file = await policyFile('reads', ['GET', 'DELETE']);
    const { code, out, said } = await outcome(
      narrowed(
        ['--unconfined', '--policy', file],
        [process.execPath, '--input-type=module', '-e', askAll, url],
      ),
    );
    assert.equal(code, 0, said);
    assert.equal(out.trim(), '[200,403,403]');
    assert.match(said, /the command is not confined/);
    const events = (await set.audit()).filter(({ kind }) => kind === 'exchange');
    assert.deepEqual(
      events.map(({ method, status, rule, policyName }) => [method, status, rule, policyName]),
      [
        ['GET', 200, 'api', undefined],
        ['POST', 403, 'narrowed-deny', 'narrowed'],
        ['DELETE', 403, 'default-deny', undefined],
      ],
    );
    const [made, over] = (await set.audit()).filter(
      ({ sessionId, kind }) => kind === 'session' && sessionId === events[0]?.['sessionId'],
    );
    assert.equal(made?.['action'], 'narrowed');
    assert.equal((made['details'] as Readonly<Record<string, unknown>>)['confined'], false);
    assert.equal(over?.['action'], 'ended');
    await waitUntil('one session is left', async () => (await sessions()).length === 1);
  });

  interface Hunt {
    readonly reached: readonly string[];
    readonly inherited: readonly string[];
    readonly tried: number;
    readonly own: number;
  }
  const hunt = async (options: readonly string[]): Promise<Hunt> => {
    const file = await policyFile('hunts', ['GET']);
    const socket = agent.env['UPSTREAMPROXY_RELAY_SOCKET'] ?? '/nowhere';
    const program = [
      '--input-type=module',
      '-e',
      relayHunt,
      String(agent.relayPort),
      String(agent.pid),
      socket,
    ];
    const { code, out, said } = await outcome(
      narrowed([...options, '--policy', file], [process.execPath, ...program]),
    );
    assert.equal(code, 0, said);
    return JSON.parse(out) as Hunt;
  };

  test('without a jail the command finds the relay that it is to do without', async () => {
    const { reached } = await hunt(['--unconfined']);
    assert.ok(reached.includes('tcp 127.0.0.1'), JSON.stringify(reached));
  });

  test(
    'in its jail it finds it in no way, and nothing of the session outside',
    { skip: noJail },
    async () => {
      const { reached, inherited, tried } = await hunt([]);
      assert.deepEqual({ reached, inherited }, { reached: [], inherited: [] });
      assert.ok(tried > 10);
    },
  );

  test(
    'in its jail neither the socket of a relay above is there nor secrets of the home, whatever variables the one who asks has lost',
    { skip: noJail },
    async () => {
      const socket = join(set.directory, 'relay', 'sock');
      await using other = await set.startAgent({ relaySocket: socket });
      await mkdir(join(set.directory, '.ssh'));
      await writeFile(join(set.directory, '.ssh', 'id_ed25519'), 'a key');
      const file = await policyFile('sockets', ['GET']);
      const look = `
        import { connect } from 'node:net';
        import { readdirSync } from 'node:fs';
        const [socket, home] = process.argv.slice(1);
        const reached = await new Promise((resolve) =>
          connect(socket).on('connect', () => resolve(true)).on('error', () => resolve(false)));
        const names = readdirSync(home + '/.ssh');
        console.log(JSON.stringify({ reached, names }));
        process.exit();
      `;
      const command = [process.execPath, '--input-type=module', '-e', look, socket, set.directory];
      // The environment of a command with a smaller session does not name the socket.
      const { UPSTREAMPROXY_RELAY_SOCKET: named, ...env } = other.env;
      assert.equal(named, socket);
      const start = (options: readonly string[], of: readonly string[]): ChildProcess =>
        spawn(launcher, ['session', 'narrow', ...options, '--policy', file, '--', ...of], {
          env: { PATH: process.env['PATH'], HOME: set.directory, ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
      const confined = { reached: false, names: [] };
      const open = await outcome(start(['--unconfined'], command));
      assert.deepEqual(JSON.parse(open.out), { reached: true, names: ['id_ed25519'] }, open.said);
      const first = await outcome(start([], command));
      assert.deepEqual(JSON.parse(first.out), confined, first.said);
      assert.match(first.said, /hidden: [^\n]*~\/\.ssh[^\n]*What the command writes there is lost\n/);
      const inner = [launcher, 'session', 'narrow', '--policy', file, '--', ...command];
      const second = await outcome(start(['--unconfined'], inner));
      assert.deepEqual(JSON.parse(second.out), confined, second.said);
    },
  );

  test('in its jail its requests are those of the smaller session', { skip: noJail }, async () => {
    const file = await policyFile('jailed', ['GET']);
    const ask = [process.execPath, '--input-type=module', '-e', askAll, url];
    const { out, said } = await outcome(narrowed(['--policy', file], ask));
    assert.equal(out.trim(), '[200,403,403]', said);
    const last = (await set.audit()).findLast(({ action }) => action === 'narrowed');
    assert.deepEqual(
      last === undefined ? undefined : (last['details'] as { confined: unknown }).confined,
      true,
    );
  });

  test('a program in the container gets one from the library, and may start commands with it', async () => {
    const file = await policyFile('library', ['GET']);
    const narrowed = await narrowSession({
      policy: await readFile(file, 'utf8'),
      lifetimeMs: 60_000,
      relay: `http://127.0.0.1:${agent.relayPort}`,
    });
    const { id, env, unset, ended } = narrowed;
    try {
      assert.ok((await sessions()).some((one) => one.id === id));
      const kept = Object.entries(environment()).filter(([name]) => !unset.includes(name));
      const child = spawn(process.execPath, ['--input-type=module', '-e', askAll, url], {
        env: { ...Object.fromEntries(kept), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      assert.equal((await outcome(child)).out.trim(), '[200,403,403]');
    } finally {
      await narrowed.close();
    }
    assert.equal(await ended, undefined);
    await waitUntil('it is over', async () => (await sessions()).every((one) => one.id !== id));
    const relay = `http://127.0.0.1:${agent.relayPort}`;
    await assert.rejects(narrowSession({ policy: 'rules: [{ name: a, hosts: b.test, inject: x }]', relay }), {
      code: 'request_malformed',
      message: /inject/,
    });
  });

  test('a command with a smaller session makes one that is smaller still', async () => {
    const [wide, file] = [
      await policyFile('outer', ['GET', 'POST']),
      await policyFile('inner', ['POST', 'DELETE']),
    ];
    const ask = [process.execPath, '--input-type=module', '-e', askAll, url];
    const inner = [launcher, 'session', 'narrow', '--unconfined', '--policy', file, '--', ...ask];
    const { out, said } = await outcome(narrowed(['--unconfined', '--policy', wide], inner));
    assert.equal(out.trim(), '[403,200,403]', said);
    const made = (await set.audit()).filter(({ action }) => action === 'narrowed').slice(-2);
    const [outer, last] = made.map(({ sessionId, details }) => ({
      sessionId,
      above: (details as { above: readonly string[] }).above,
    }));
    assert.deepEqual(last?.above, [...(outer?.above ?? []), outer?.sessionId]);
  });

  test('revoking the session of the container ends those that it made, and the command is told', async () => {
    const file = await policyFile('long', ['GET']);
    const child = narrowed(
      ['--unconfined', '--policy', file],
      [process.execPath, '-e', 'setInterval(() => {}, 1000)'],
    );
    await waitUntil('there are two', async () => (await sessions()).length === 2);
    const root = (await set.audit()).find(({ action }) => action === 'enrolled')?.['sessionId'];
    const said = child.stderr === null ? Promise.resolve('') : text(child.stderr);
    await mustRun(launcher, ['session', 'revoke', String(root), '--config', set.configFile]);
    assert.deepEqual(await sessions(), []);
    await waitUntil('the agent has ended', async () => agent.said().includes('revoked'));
    child.kill();
    assert.match(await said, /the session of the command is over/);
  });
});
