// Several gateway processes on one PostgreSQL database, behind one balancer, with agents.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';

import { parse, stringify } from 'yaml';

import { mustRun } from './command.ts';
import { deploy, type AgentProcess, type Deployment } from './deployment.ts';
import { freePort } from './free-port.ts';
import { type LongOrigin, longOrigin } from './long-exchanges.ts';
import { startPostgres } from './postgres-server.ts';
import { type GatewayProcess, launcher, startGatewayProcess } from './program.ts';
import type { ProxyTarget } from './proxy-client.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority } from './test-authority.ts';
import { turningBalancer, type TurningBalancer } from './turning-balancer.ts';

export interface Fleet extends AsyncDisposable {
  readonly origin: LongOrigin;
  readonly balancer: TurningBalancer;
  readonly configFiles: readonly string[];
  /** Those that run, by their number. */
  readonly gateways: readonly GatewayProcess[];
  /** One in the place of one that has ended. */
  restart(number: number): Promise<void>;
  /** The status of `/readyz`; undefined if nobody listens. */
  readiness(number: number): Promise<number | undefined>;
  /** Whose first tunnel is at that gateway. */
  startAgent(number: number): Promise<{ readonly agent: AgentProcess; readonly target: ProxyTarget }>;
  /** Events of exchanges, of all gateways. */
  exchanges(): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

const host = 'api.test';

/** Look at `postgresBinaries` first. */
export async function openFleet(count: number): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const database = stack.use(await startPostgres());
  await database.run('CREATE DATABASE state');
  const origin = stack.use(await longOrigin(authority, host));
  const balancer = stack.use(await turningBalancer());
  const { path: shared } = stack.use(await temporaryDirectory());
  const identity = { directory: join(shared, 'identity') };
  await mkdir(identity.directory, { mode: 0o700 });
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const configOf = (port: number | undefined) => ({
    listen: { address: '127.0.0.1', port },
    identity,
    store: { url: database.url('state'), dangerouslyWithoutTls: true },
    publicOrigins: [`https://127.0.0.1:${balancer.port}`],
  });
  await makeIdentity(shared, configOf(ports[0]));
  const set = stack.use(
    await deploy({
      rules: [{ name: 'api', hosts: [host], ports: [origin.port], addresses: ['127.0.0.1/32'] }],
      hosts: { [host]: '127.0.0.1' },
      authority,
      config: configOf(ports[0]),
    }),
  );
  const configFiles = [set.configFile];
  const gateways: GatewayProcess[] = [set.gateway];
  for (const port of ports.slice(1)) {
    configFiles.push(await furtherConfig(set, port));
    gateways.push(stack.use(await startGatewayProcess(configFiles.at(-1) ?? '')));
  }
  balancer.servers = ports;
  const owned = stack.move();
  return {
    origin,
    balancer,
    configFiles,
    gateways,
    restart: async (number) => {
      gateways[number] = owned.use(await startGatewayProcess(configFiles[number] ?? ''));
    },
    readiness: (number) => readiness(ports[number] ?? 0),
    startAgent: async (number) => {
      balancer.servers = [ports[number] ?? 0];
      const agent = owned.use(await set.startAgent({ gatewayUrl: `https://127.0.0.1:${balancer.port}` }));
      balancer.servers = ports;
      const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
      return { agent, target: { relayPort: agent.relayPort, host, port: origin.port, ca } };
    },
    exchanges: async () => {
      const { rows } = await database.run(`SELECT event FROM audit WHERE kind = 'exchange'`, 'state');
      // Written by our own program: an object each.
      return rows.map(({ event }) => JSON.parse(String(event)) as Readonly<Record<string, unknown>>);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeIdentity(folder: string, config: object): Promise<void> {
  const file = join(folder, 'identity.yaml');
  await writeFile(join(folder, 'policy.yaml'), stringify({ rules: [] }));
  const base = { publicNames: ['127.0.0.1'], stateDirectory: 'state', policy: 'policy.yaml' };
  await writeFile(file, stringify({ ...base, ...config }));
  await mustRun(launcher, ['identity', 'make', '--config', file]);
}

/** A configuration like that of the first gateway, with a state folder of its own. */
async function furtherConfig(set: Deployment, port: number): Promise<string> {
  // Written by `deploy`.
  const first = parse(await readFile(set.configFile, 'utf8')) as Readonly<Record<string, unknown>>;
  const file = join(set.directory, `gateway-${port}.yaml`);
  const config = { ...first, listen: { address: '127.0.0.1', port }, stateDirectory: `state-${port}` };
  await writeFile(file, stringify(config));
  return file;
}

function readiness(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    // Whose certificate it is, is not what is asked.
    const request = https.get({
      host: '127.0.0.1',
      port,
      path: '/readyz',
      agent: false,
      rejectUnauthorized: false,
    });
    request.on('error', () => resolve(undefined));
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
}
