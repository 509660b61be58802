// Two gateways with one identity on one PostgreSQL database, behind a balancer that leads an agent to the one or the other.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { parse, stringify } from 'yaml';

import { runCommand } from '../support/command.ts';
import { mustRunShared } from '../support/command-process.ts';
import type { AgentProcess } from '../support/deployment.ts';
import { gatewayPair, type GatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { launcher, startGatewayProcess } from '../support/program.ts';
import { agentThrough, requestThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
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
    const begin = async (): Promise<string> => {
      const doomed = stack.use(await set.startAgent({ gatewayUrl: pair.balancerUrl }));
      assert.ok(doomed.relayPort);
      const listed = await mustRunShared(['session', 'list', '--json', '--config', set.configFile]);
      const [newest] = listed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { readonly id: string });
      return newest?.id ?? '';
    };
    const revoke = (id: string, ...more: string[]): Promise<string> =>
      mustRunShared(['session', 'revoke', id, '--config', set.configFile, ...more]);
    assert.match(await revoke(await begin()), /^revoked \S+\nconfirmed by 2 of 2 gateways in \d\.\d s\n$/);
    // Before the other one is stopped: one that is away for long is no gateway that is waited for.
    const next = await begin();
    process.kill(other.pid, 'SIGSTOP');
    try {
      const said = JSON.parse(await revoke(next, '--json')) as Record<string, readonly unknown[]>;
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

describe('gateways on one database that have keys of their own', { skip }, () => {
  const stack = new AsyncDisposableStack();
  let folder: string;
  let server: PostgresServer;

  before(async () => {
    folder = stack.use(await temporaryDirectory()).path;
    server = stack.use(await startPostgres());
    await server.run('CREATE DATABASE state');
    await writeFile(join(folder, 'policy.yaml'), stringify({ rules: [] }));
  });
  after(() => stack.disposeAsync());

  const configOf = async (name: string, more: object = {}): Promise<string> => {
    const file = join(folder, `${name}.yaml`);
    const listen = { address: '127.0.0.1', port: 0 };
    const base = { listen, stateDirectory: name, policy: 'policy.yaml', store: server.url('state') };
    await writeFile(file, stringify({ ...base, ...more }));
    return file;
  };
  const refusal = async (file: string): Promise<string> => {
    const { code, stderr } = await runCommand(launcher, ['gateway', '--config', file]);
    assert.equal(code, 78, stderr);
    const lines = stderr.split('\n').filter((line) => line.startsWith('upstreamproxy: '));
    assert.equal(lines.length, 1, stderr);
    return lines[0] ?? '';
  };

  test('of two that start on an empty one at once one serves, and the other says why it does not', async () => {
    const files = await Promise.all(['a', 'b'].map((name) => configOf(name)));
    const outcomes = await Promise.allSettled(
      files.map(async (file) => stack.use(await startGatewayProcess(file))),
    );
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
    const lost = outcomes.findIndex(({ status }) => status === 'rejected');
    const message = await refusal(files[lost] ?? '');
    // What it says depends on whether it had made keys when the other one was first.
    assert.match(
      message,
      /(another signing key than|the) other(s| gateways) on (its|this) store.*"identity".*\[identity_unusable\]$/,
    );
    // Alone it would have served for ever; with the same database it does so once somebody says that it is to.
    const { value: winner } = outcomes.find((one) => one.status === 'fulfilled') ?? assert.fail();
    await winner.close();
    await mustRunShared(['identity', 'claim', '--config', files[lost] ?? '']);
    const claimed = stack.use(await startGatewayProcess(files[lost] ?? ''));
    assert.match(await refusal(files[1 - lost] ?? ''), /another signing key/);
    await claimed.close();
    stack.use(await startGatewayProcess(files[lost] ?? ''));
  });

  test('one that has no keys yet makes none beside those of the others', async () => {
    for (const [name, workers] of [
      ['one', 1],
      ['several', 2],
    ] as const) {
      const message = await refusal(await configOf(name, { workers }));
      assert.match(
        message,
        /the other gateways on this store have theirs.*"identity".*\[identity_unusable\]$/,
      );
      const made = await readdir(join(folder, name), { recursive: true }).catch(() => []);
      assert.deepEqual(
        made.filter((one) => /\.(key|pem)$/.test(one)),
        [],
      );
    }
  });

  test('they go into the store with what they have, and one that was not changed yet says so', async () => {
    await using own = new AsyncDisposableStack();
    await server.run('CREATE DATABASE moved');
    const store = server.url('moved');
    const before = await configOf('moved', { store });
    const old = own.use(await startGatewayProcess(before));
    const shown = await mustRunShared(['ca', 'show', '--config', before]);
    const keyFile = join(folder, 'identity-key');
    await writeFile(keyFile, randomBytes(32).toString('base64url'), { mode: 0o600 });
    const identity = { store: true, keyEncryptionKey: { file: keyFile } };
    const moved = await configOf('moved-to', { store, identity });
    assert.match(
      await refusal(moved),
      /have their identity in files.*"upstreamproxy identity import" \[identity_unusable\]$/,
    );
    await mustRunShared(['identity', 'import', join(folder, 'moved'), '--config', moved]);
    own.use(await startGatewayProcess(moved));
    assert.equal(await mustRunShared(['ca', 'show', '--config', moved]), shown);
    await old.close();
    assert.match(await refusal(before), /have their keys in it: write identity: \{ store: true/);
    // Its state folder still has the keys of before: on a new store they are asked about first.
    await server.run('CREATE DATABASE empty');
    const again = await configOf('moved', { store: server.url('empty'), identity });
    assert.match(
      await refusal(again),
      /signing-key\.pem is there, and the store has no identity: restore it/,
    );
    await mustRunShared(['identity', 'make', '--config', again]);
    own.use(await startGatewayProcess(again));
    assert.notEqual(await mustRunShared(['ca', 'show', '--config', again]), shown);
  });
});

function isKey(name: string): boolean {
  return /\.(key|pem)$|^ca$|^server$/.test(name);
}
