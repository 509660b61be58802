// A cluster of two real servers of Redis: where one of them leads a client to the other, the client goes there by itself, and a rule has to be
// for that place too.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { openRequestPath } from '../gateway/support/request-path.ts';
import { runCommand } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { patienceMs } from '../support/patience.ts';
import { waitUntil } from '../support/program.ts';
import { missingRedis, startRedis } from '../support/redis-server.ts';
import { type ClientPort, openClientPort } from './support/client-port.ts';
import { password } from './support/redis-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingRedis() ?? false);
const tools = process.env['TEST_PROTOCOL_END_TOOLS'];
const slots = 16_384;

interface Node {
  readonly host: string;
  readonly port: number;
  /** Where clients of the jail reach it. */
  readonly clients: ClientPort;
}

interface Cluster extends AsyncDisposable {
  readonly nodes: readonly [Node, Node];
  /** Rules for these hosts alone. */
  setHosts(...hosts: readonly string[]): void;
  /** Of the last connection. */
  readonly verdict: () => string | undefined;
}

async function openCluster(): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const start = async (host: string) => {
    const busPort = await freePort();
    const server = stack.use(
      await startRedis({
        users: [`agent on >${password} ~* &* +@all`],
        lines: [
          'cluster-enabled yes',
          `cluster-port ${String(busPort)}`,
          `cluster-announce-hostname ${host}`,
          'cluster-preferred-endpoint-type hostname',
        ],
      }),
    );
    return { host, busPort, ...server };
  };
  const [one, two] = [await start('one.test'), await start('two.test')];
  one.run('CLUSTER', 'ADDSLOTSRANGE', '0', String(slots / 2 - 1));
  two.run('CLUSTER', 'ADDSLOTSRANGE', String(slots / 2), String(slots - 1));
  one.run('CLUSTER', 'MEET', '127.0.0.1', String(two.port), String(two.busPort));
  for (const node of [one, two])
    await waitUntil('the cluster is whole, and has its names', () => {
      const known = node.run('CLUSTER', 'SLOTS');
      return (
        node.run('CLUSTER', 'INFO').includes('cluster_state:ok') &&
        [one, two].every(({ host }) => known.includes(host))
      );
    });
  const policyOf = (hosts: readonly string[]): string =>
    `rules: [${[one, two]
      .filter(({ host }) => hosts.includes(host))
      .map(
        ({ host, port }) =>
          `{ name: ${host.replace('.test', '')}, hosts: ${host}, ports: ${String(port)}, addresses: 127.0.0.0/8, protocol: redis, redis: { dangerouslyAllowPlaintext: true }, inject: agent }`,
      )
      .join(', ')}]`;
  const both = [one.host, two.host];
  const path = stack.use(
    openRequestPath({
      policy: policyOf(both),
      hosts: both,
      trust: [],
      credentials: { agent: { kind: 'login', username: 'agent', source: { env: 'REDIS_PASSWORD' } } },
      environment: { REDIS_PASSWORD: password },
    }),
  );
  const nodeOf = async ({ host, port }: { readonly host: string; readonly port: number }): Promise<Node> => {
    const authority = `${host}:${String(port)}`;
    const open = () => path.open({ authority, mode: 'raw' }, 'alice').socket;
    return { host, port, clients: stack.use(await openClientPort(open)) };
  };
  const nodes = [await nodeOf(one), await nodeOf(two)] as const;
  const owned = stack.move();
  return {
    nodes,
    setHosts: (...hosts) => path.setPolicy(policyOf(hosts)),
    verdict: () => path.audit.at(-1)?.verdict,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test(
  'a server that has a key elsewhere says so in its own words, and the rule decides about the other one',
  { skip, timeout: 4 * patienceMs },
  async () => {
    await using cluster = await openCluster();
    const [one, two] = cluster.nodes;
    const ask = async ({ clients }: Node, ...words: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await runCommand('redis-cli', [
        '-h',
        '127.0.0.1',
        '-p',
        String(clients.port),
        ...words,
      ]);
      return `${stdout}${stderr}`.trim();
    };
    // Of the second half of the slots.
    let elsewhere = 'key';
    while (Number(await ask(one, 'CLUSTER', 'KEYSLOT', elsewhere)) < slots / 2) elsewhere += 'x';
    const moved = await ask(one, 'SET', elsewhere, 'x');
    assert.match(moved, new RegExp(`MOVED \\d+ two\\.test:${String(two.port)}$`));
    assert.equal(await ask(two, 'SET', elsewhere, 'x'), 'OK');
    assert.match(await ask(one, 'CLUSTER', 'SLOTS'), /two\.test/);
    cluster.setHosts(one.host);
    assert.equal(await ask(one, 'SET', elsewhere, 'x'), moved);
    assert.doesNotMatch(await ask(two, 'GET', elsewhere), /^x$/);
    assert.equal(cluster.verdict(), 'deny');
    for (const { clients } of cluster.nodes) assert.ok(!Buffer.concat(clients.received).includes(password));
  },
);

test(
  'a client of clusters works where rules are for all of its servers, by their names',
  {
    skip: skip !== false ? skip : tools === undefined ? 'the clients were not fetched' : false,
    timeout: 4 * patienceMs,
  },
  async () => {
    await using cluster = await openCluster();
    const natMap = Object.fromEntries(
      cluster.nodes.map(({ host, port, clients }) => [
        `${host}:${String(port)}`,
        { host: '127.0.0.1', port: clients.port },
      ]),
    );
    const file = join(tools ?? '', `cluster-${String(process.pid)}.mjs`);
    // In the jail a name leads to the gateway by itself; here the table does that.
    writeFileSync(
      file,
      `import { Cluster } from 'ioredis';
       const natMap = ${JSON.stringify(natMap)};
       const client = new Cluster([{ host: '127.0.0.1', port: ${String(cluster.nodes[0].clients.port)} }], { natMap, slotsRefreshTimeout: 20000 });
       client.on('error', (error) => { console.log(error.message); process.exit(1); });
       const names = Array.from({ length: 200 }, (_, i) => 'key:' + i);
       await Promise.all(names.map((name) => client.set(name, name)));
       const got = await Promise.all(names.map((name) => client.get(name)));
       console.log(got.every((one, i) => one === names[i]), client.nodes('master').length);
       client.disconnect();`,
    );
    const { stdout, stderr } = await runCommand(process.execPath, [file], { timeoutMs: patienceMs });
    assert.equal(stdout.trim(), 'true 2', stderr);
  },
);
