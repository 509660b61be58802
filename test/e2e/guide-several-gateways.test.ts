// docs/guides/several-gateways.md: its configuration and its HAProxy before two gateways on one database, with a gateway that is replaced; its
// manifests without a cluster.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { parse, parseAllDocuments, stringify } from 'yaml';

import { parseGatewayConfig } from '../../src/gateway/config/config.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { endChild, launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const guide = await readFile(new URL('../../docs/guides/several-gateways.md', import.meta.url), 'utf8');
const binaries = postgresBinaries();

function block(language: string, having: string): string {
  const blocks = [...guide.matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  const found = blocks.find(([, of, body = '']) => of === language && body.includes(having));
  assert.ok(found, having);
  return found[2] ?? '';
}

/** As the guide has it, but for what is this machine's. */
function configurationOfGuide(changes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  // The guide's own.
  const written = parse(block('yaml', '# gateway.yaml')) as Readonly<Record<string, unknown>>;
  const { metrics: _, ...rest } = written;
  const listen = { ...(written['listen'] as object), address: '127.0.0.1', port: 0 };
  return {
    ...rest,
    listen,
    publicNames: [...(written['publicNames'] as string[]), '127.0.0.1'],
    trustedProxies: ['127.0.0.1/32'],
    peers: { listen: { address: '127.0.0.1', port: 0 } },
    ...changes,
  };
}

async function makeIdentity(folder: string): Promise<string> {
  const directory = join(folder, 'identity');
  await mkdir(directory, { mode: 0o700 });
  const file = join(folder, 'maker.yaml');
  await writeFile(file, stringify({ identity: { directory }, policy: 'observe' }));
  await mustRun(launcher, ['identity', 'make', '--config', file]);
  return directory;
}

async function startOrigin(authority: TestAuthority, stack: AsyncDisposableStack): Promise<number> {
  const origin = createServer(authority.issue('api.test'), (_request, response) => response.end('hello'));
  stack.defer(() => {
    origin.closeAllConnections();
    origin.close();
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  // A server that listens on a port has an AddressInfo.
  return (origin.address() as AddressInfo).port;
}

/** HAProxy that ends the TLS of links, and makes it anew to these. Agents see a certificate of its own. */
async function startEndingBalancer(
  set: Deployment,
  { port, gateways, authority }: Ended,
  stack: AsyncDisposableStack,
): Promise<void> {
  const { cert, key } = authority.issue('127.0.0.1');
  await writeFile(join(set.directory, 'balancer.pem'), `${cert}\n${key}`, { mode: 0o600 });
  const servers = gateways.map(
    (url, number) =>
      `  server g${number} 127.0.0.1:${new URL(url).port} ssl verify required ca-file gateway-ca.pem sni str(gateway.example.com) check-sni gateway.example.com alpn http/1.1 send-proxy-v2 check-send-proxy check`,
  );
  const lines = `defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  timeout tunnel 1h
  retries 2
  option redispatch
  option httpchk GET /readyz
frontend agents
  bind 127.0.0.1:${port} ssl crt balancer.pem alpn http/1.1
  default_backend gateways
backend gateways
  default-server check-ssl inter 500ms fall 2 rise 1
${servers.join('\n')}
`;
  const file = join(set.directory, 'ending.cfg');
  await writeFile(file, lines);
  const haproxy = spawn('haproxy', ['-db', '-f', file], { cwd: set.directory, stdio: 'ignore' });
  stack.defer(() => endChild(haproxy));
}

interface Ended {
  readonly port: number;
  readonly gateways: readonly string[];
  readonly authority: TestAuthority;
}

/** HAProxy with the guide's file, which listens on `port` and leads to these. */
async function startBalancer(
  set: Deployment,
  { port, gateways }: { readonly port: number; readonly gateways: readonly string[] },
  stack: AsyncDisposableStack,
): Promise<void> {
  const ports = gateways.map((url) => new URL(url).port);
  const file = join(set.directory, 'haproxy.cfg');
  const lines = block('haproxy', 'frontend agents')
    .replace(/^ {2}bind :443$/m, `  bind 127.0.0.1:${port}`)
    .replace('10.0.0.11:8443', `127.0.0.1:${ports[0]}`)
    .replace('10.0.0.12:8443', `127.0.0.1:${ports[1]}`);
  await writeFile(file, lines);
  const haproxy = spawn('haproxy', ['-db', '-f', file], { cwd: set.directory, stdio: 'ignore' });
  stack.defer(() => endChild(haproxy));
}

for (const [what, ends] of [
  ['HAProxy', false],
  ['a HAProxy that ends TLS', true],
] as const)
  test(
    `two gateways behind ${what} serve one session, also while one of them is replaced`,
    { skip: 'missing' in binaries ? binaries.missing : skipWithout('haproxy') },
    async () => {
      await using stack = new AsyncDisposableStack();
      const authority = createTestAuthority();
      const port = await startOrigin(authority, stack);
      const database = stack.use(await startPostgres());
      await database.run("CREATE DATABASE state ENCODING 'UTF8' TEMPLATE template0");
      const shared = stack.use(await temporaryDirectory()).path;
      const balancerPort = await freePort();
      const balancer = `https://127.0.0.1:${balancerPort}`;
      const config = configurationOfGuide({
        identity: { directory: await makeIdentity(shared) },
        store: database.url('state'),
        publicOrigins: [balancer],
        stateDirectory: 'state',
      });
      const rules = [{ name: 'api', hosts: ['api.test'], ports: [port], addresses: ['127.0.0.1/32'] }];
      const set = stack.use(await deploy({ rules, hosts: { 'api.test': '127.0.0.1' }, authority, config }));
      const otherFile = join(set.directory, 'other.yaml');
      // Written by `deploy`: a map.
      const written = parse(await readFile(set.configFile, 'utf8')) as Readonly<Record<string, unknown>>;
      await writeFile(otherFile, stringify({ ...written, stateDirectory: 'other-state' }));
      const other = stack.use(await startGatewayProcess(otherFile));
      const before = { port: balancerPort, gateways: [set.gateway.url, other.url] };
      if (ends) {
        await appendFile(set.gatewayCaFile, authority.caPem);
        await startEndingBalancer(set, { ...before, authority }, stack);
      } else await startBalancer(set, before, stack);
      const agent = stack.use(await set.startAgent({ gatewayUrl: balancer }));
      const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
      const target: ProxyTarget = { relayPort: agent.relayPort, host: 'api.test', port, ca };
      const ask = async (path: string): Promise<string> => {
        const client = await agentThrough(target);
        const body = await text(await requestThrough(client, target, { path }));
        client.destroy();
        return body;
      };
      assert.equal(await ask('/before'), 'hello');
      await set.gateway.close();
      await waitUntil(
        'the other one serves it',
        async () => (await ask('/after').catch(() => '')) === 'hello',
      );
      const events = (await set.audit()).filter(
        ({ kind, verdict }) => kind === 'exchange' && verdict === 'allow',
      );
      assert.deepEqual(
        events.map(({ path }) => path),
        ['/before', '/after'],
      );
      assert.equal(new Set(events.map(({ sessionId }) => sessionId)).size, 1);
      // Nothing that the balancer sees is plaintext of a client.
      assert.equal(/TLS of clients ends in the gateway/.test(agent.said()), ends);
    },
  );

interface ComposeFile {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly environment?: Readonly<Record<string, string>>;
        readonly volumes?: readonly string[];
        readonly secrets?: readonly string[];
        readonly network_mode?: string;
        readonly networks?: unknown;
      }
    >
  >;
  readonly configs: { readonly haproxy: { readonly content: string } };
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, unknown>>;
}

test('the gateways of the Compose file have a configuration each, a balancer that knows both, and a database that nobody else reaches', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory()).path;
  const file = parse(block('yaml', '# compose.yaml'), { merge: true }) as ComposeFile;
  const { services, volumes, secrets, configs } = file;
  for (const [name, service] of Object.entries(services)) {
    for (const secret of service.secrets ?? []) assert.ok(secret in secrets, `${name}: ${secret}`);
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':');
      assert.ok(source.startsWith('./') || source in volumes, `${name}: ${source}`);
    }
  }
  const withSocket = Object.entries(services).filter(([, service]) =>
    service.volumes?.some((volume) => volume.startsWith('database-socket:')),
  );
  assert.deepEqual(
    withSocket.map(([name]) => name),
    ['gateway-1', 'gateway-2', 'database'],
  );
  assert.deepEqual([services['database']?.network_mode, services['database']?.networks], ['none', undefined]);
  // Each has a state folder of its own, and says its own name to the other.
  const written = parse(block('yaml', '# gateway.yaml for Compose')) as Readonly<Record<string, unknown>>;
  const key = join(folder, 'key');
  await writeFile(key, randomBytes(32).toString('base64'), { mode: 0o600 });
  await writeFile(join(folder, 'policy.yaml'), 'rules: []\n');
  const states = new Set<string>();
  for (const name of ['gateway-1', 'gateway-2']) {
    const service = services[name];
    states.add(service?.volumes?.find((volume) => volume.endsWith(':/var/lib/upstreamproxy')) ?? '');
    assert.equal(service?.environment?.['PEER_HOST'], name);
    assert.ok(configs.haproxy.content.includes(`${name}:8443`));
    const text = stringify({
      ...written,
      identity: { store: true, keyEncryptionKey: { file: key } },
      stateDirectory: folder,
    });
    const parsed = parseGatewayConfig({ file: 'gateway.yaml', text }, folder);
    assert.ok('config' in parsed, JSON.stringify(parsed));
    assert.equal(parsed.config.peers?.known.includes(`${name}:8444`), true);
  }
  assert.equal(states.size, 2);
});

test(
  'the balancer of the Compose file takes its configuration',
  { skip: skipWithout('haproxy') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryDirectory()).path;
    const { configs } = parse(block('yaml', '# compose.yaml'), { merge: true }) as ComposeFile;
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, createTestAuthority().caPem);
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, configs.haproxy.content.replace('/run/secrets/gateway-ca', ca));
    const { code, stderr } = await runCommand('haproxy', ['-c', '-f', file]);
    assert.equal(code, 0, stderr);
  },
);

test('the first container of the manifests copies the Secret so that a gateway takes the keys', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory()).path;
  const made = await makeIdentity(folder);
  const documents = parseAllDocuments(block('yaml', 'kind: Deployment'));
  assert.deepEqual(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  );
  const manifest = documents[0]!.toJS();
  const { initContainers, volumes } = manifest.spec.template.spec;
  const { items } = volumes.find(({ name }: { name: string }) => name === 'identity').secret;
  const files = (await readdir(made, { recursive: true })).filter((name) => /\.(?:pem|key)$/.test(name));
  assert.deepEqual(items.map(({ path }: { path: string }) => path).toSorted(), files.toSorted());
  for (const { key, path } of items) assert.ok(path.endsWith(key), key);
  // As a Secret is mounted: readable for the group, through links.
  const mounted = join(folder, 'mounted');
  await cp(made, mounted, { recursive: true });
  await mustRun('chmod', ['-R', 'g+rX', mounted]);
  const [shell = '', option = '', line = ''] = initContainers[0].command;
  const target = join(folder, 'own');
  const here = line.replaceAll('/run/identity', mounted).replaceAll('/srv/upstreamproxy', target);
  await mustRun(shell, [option, here]);
  const file = join(folder, 'gateway.yaml');
  const config = {
    identity: { directory: join(target, 'identity') },
    policy: 'observe',
    stateDirectory: 'state',
  };
  await writeFile(file, stringify(config));
  const { code, stderr } = await runCommand(launcher, ['gateway', '--check', '--config', file]);
  assert.equal(code, 0, stderr);
  await writeFile(file, stringify({ ...config, identity: { directory: mounted } }));
  const direct = await runCommand(launcher, ['gateway', '--check', '--config', file]);
  assert.notEqual(direct.code, 0);
});
