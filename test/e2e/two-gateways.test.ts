// Two gateways with one identity on one PostgreSQL database, behind a balancer that leads an agent to the one or the other.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { parse, stringify } from 'yaml';

import { mustRun, runCommand } from '../support/command.ts';
import type { AgentProcess } from '../support/deployment.ts';
import { gatewayPair, type GatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { launcher } from '../support/program.ts';
import { agentThrough, requestThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

describe('two gateways with the same mounted identity on one database', { skip }, () => {
  const stack = new AsyncDisposableStack();
  let pair: GatewayPair;
  let agent: AgentProcess;
  let target: ProxyTarget;

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
    const { port } = origin.address() as AddressInfo;
    const rule = { name: 'api', hosts: ['api.test'], ports: [port], addresses: ['127.0.0.1/32'] };
    pair = stack.use(await gatewayPair({ rules: [rule], hosts: { 'api.test': '127.0.0.1' }, authority }));
    agent = stack.use(await pair.set.startAgent({ gatewayUrl: pair.balancerUrl }));
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    target = { relayPort: agent.relayPort, host: 'api.test', port, ca };
  });
  after(() => stack.disposeAsync());

  const ask = async (path: string): Promise<string> => {
    const client = await agentThrough(target);
    const body = await text(await requestThrough(client, target, { path }));
    client.destroy();
    return body;
  };

  test('a session of one goes on at the other, with what its workloads trust, and back', async () => {
    assert.equal(await ask('/at-the-first'), 'hello');
    pair.moveTo(pair.other);
    assert.equal(await ask('/at-the-other'), 'hello');
    pair.moveTo(pair.set.gateway);
    assert.equal(await ask('/again'), 'hello');
    const events = (await pair.set.audit()).filter(({ kind }) => kind === 'exchange');
    assert.deepEqual(
      events.map(({ path, status }) => [path, status]),
      [
        ['/at-the-first', 200],
        ['/at-the-other', 200],
        ['/again', 200],
      ],
    );
    assert.equal(new Set(events.map(({ sessionId }) => sessionId)).size, 1);
    // Neither made anything of its own.
    for (const name of ['state', 'other-state'])
      assert.deepEqual((await readdir(join(pair.set.directory, name)).catch(() => [])).filter(isKey), []);
  });

  test('who revokes is told which gateways have taken it, and which have not', async () => {
    const { set, other } = pair;
    const revoke = async (...more: string[]): Promise<string> => {
      const doomed = stack.use(await set.startAgent({ gatewayUrl: pair.balancerUrl }));
      assert.ok(doomed.relayPort);
      const listed = await mustRun(launcher, ['session', 'list', '--json', '--config', set.configFile]);
      const [newest] = listed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { readonly id: string });
      return await mustRun(launcher, [
        'session',
        'revoke',
        newest?.id ?? '',
        '--config',
        set.configFile,
        ...more,
      ]);
    };
    assert.match(await revoke(), /^revoked \S+\nconfirmed by 2 of 2 gateways in \d\.\d s\n$/);
    process.kill(other.pid, 'SIGSTOP');
    try {
      const said = JSON.parse(await revoke('--json')) as Record<string, readonly unknown[]>;
      assert.deepEqual(
        [said['state'], said['confirmed']?.length, said['missing']?.length],
        ['revoked', 1, 1],
      );
    } finally {
      process.kill(other.pid, 'SIGCONT');
    }
  });

  test('one that finds nothing in its folder does not start, and makes no authority of its own', async () => {
    const { directory } = pair.set;
    const empty = join(directory, 'not-mounted');
    await mkdir(empty, { mode: 0o700 });
    const file = join(directory, 'third.yaml');
    const written = parse(await readFile(pair.otherConfigFile, 'utf8')) as Record<string, unknown>;
    await writeFile(file, stringify({ ...written, stateDirectory: 'third', identity: { directory: empty } }));
    for (const workers of ['1', '2']) {
      const { code, stderr } = await runCommand(launcher, [
        'gateway',
        '--config',
        file,
        '--workers',
        workers,
      ]);
      assert.equal(code, 78, stderr);
      assert.match(stderr, /^.*not-mounted.*upstreamproxy identity make.*\[ca_key_unusable\]\n$/m);
    }
    assert.deepEqual(await readdir(empty), []);
  });
});

function isKey(name: string): boolean {
  return /\.(key|pem)$|^ca$|^server$/.test(name);
}
