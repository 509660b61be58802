// Several gateway processes on one PostgreSQL database, behind one balancer, with agents.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { parse, stringify } from 'yaml';

import { AuditHistory } from './audit-history.ts';
import { mustRunShared } from './command-process.ts';
import { deploy, type AgentProcess, type Deployment } from './deployment.ts';
import { freePort } from './free-port.ts';
import { type LongOrigin, longOrigin } from './long-exchanges.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { type GatewayProcess, startGatewayProcess, waitUntil } from './program.ts';
import type { ProxyTarget } from './proxy-client.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority } from './test-authority.ts';
import { turningBalancer, type TurningBalancer } from './turning-balancer.ts';

export interface Fleet extends AsyncDisposable {
  readonly origin: LongOrigin;
  readonly balancer: TurningBalancer;
  /** Where the store is looked at. */
  database: PostgresServer;
  readonly configFiles: readonly string[];
  /** Those that run, by their number. */
  readonly gateways: readonly GatewayProcess[];
  /** What clients did. */
  readonly history: AuditHistory;
  /** One in the place of one that has ended. */
  restart(number: number): Promise<void>;
  /** What `/readyz` says; undefined if nobody listens. */
  readiness(number: number): Promise<Readiness | undefined>;
  /** Whose first tunnel is at that gateway. */
  startAgent(number: number): Promise<{ readonly agent: AgentProcess; readonly target: ProxyTarget }>;
  /** Runs a command of operators with the configuration of that gateway. */
  command(number: number, ...args: readonly string[]): Promise<string>;
  /** Waits until the store has all, and compares it with what clients did and origins got. Gives the events of exchanges that failed. */
  check(): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export interface Readiness {
  readonly status: number | undefined;
  readonly text: string;
}

export interface FleetOptions {
  /** More of the configuration of one. */
  readonly config?: (number: number) => Readonly<Record<string, unknown>>;
  /** Where one reaches the database, in place of its Unix socket. */
  readonly storeUrl?: (number: number) => string | undefined;
  readonly environment?: (number: number) => NodeJS.ProcessEnv;
  /** What is started in place of the program of the checkout. */
  readonly program?: (number: number) => string | undefined;
  readonly database?: PostgresServer;
  /** Each leads agents to the one that has their tunnels. */
  readonly hasPeers?: boolean;
  /** Keys and authorities are in a folder, and not in the store, of which older programs know nothing. */
  readonly hasIdentityFolder?: boolean;
}

const host = 'api.test';
/** A drain under load of others takes its time. */
export const drainTimeoutMs = 300_000;

/** Look at `postgresBinaries` first. */
export async function openFleet(count: number, options: FleetOptions = {}): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const database = options.database ?? stack.use(await startPostgres());
  await database.run('CREATE DATABASE state');
  const origin = stack.use(await longOrigin(authority, host));
  const balancer = stack.use(await turningBalancer());
  const { path: shared } = stack.use(await temporaryDirectory());
  const keyFile = join(shared, 'identity-key');
  await writeFile(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const directory = join(shared, 'identity');
  await mkdir(directory, { mode: 0o700 });
  const identity =
    options.hasIdentityFolder === true ? { directory } : { store: true, keyEncryptionKey: { file: keyFile } };
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const peerPorts = await Promise.all(ports.map(() => freePort()));
  const configOf = (number: number) => ({
    ...(options.hasPeers === true
      ? { peers: { listen: { address: '127.0.0.1', port: peerPorts[number] } } }
      : {}),
    listen: { address: '127.0.0.1', port: ports[number] },
    identity,
    store: { url: options.storeUrl?.(number) ?? database.url('state'), dangerouslyWithoutTls: true },
    publicOrigins: [`https://127.0.0.1:${balancer.port}`],
    // A session here asks as fast as it can: after some 90,000 requests it would be refused for what it leaves in the audit.
    limits: { drainTimeoutMs, auditEventsPerSecondMax: 1_000_000, auditBytesPerSecondMax: 2_000_000_000 },
    ...options.config?.(number),
  });
  await makeIdentity(shared, configOf(0));
  const start = (number: number, file: string): Promise<GatewayProcess> =>
    startGatewayProcess(file, options.environment?.(number), [], options.program?.(number));
  const set = stack.use(
    await deploy({
      rules: [
        { name: 'api', hosts: [host], ports: [origin.port, origin.callPort], addresses: ['127.0.0.1/32'] },
      ],
      hosts: { [host]: '127.0.0.1' },
      authority,
      config: configOf(0),
      start: (file) => start(0, file),
    }),
  );
  const configFiles = [set.configFile];
  const gateways: GatewayProcess[] = [set.gateway];
  for (const number of ports.keys()) {
    if (number === 0) continue;
    const file = await furtherConfig(set, number, configOf(number));
    configFiles.push(file);
    gateways.push(stack.use(await start(number, file)));
  }
  balancer.servers = ports;
  const history = new AuditHistory(() => undefined);
  const events = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    const { rows } = await fleet.database.run('SELECT event FROM audit ORDER BY sequence', 'state');
    // Written by our own program: an object each.
    return rows.map(({ event }) => JSON.parse(String(event)) as Readonly<Record<string, unknown>>);
  };
  const owned = stack.move();
  const fleet: Fleet = {
    origin,
    balancer,
    database,
    configFiles,
    gateways,
    history,
    restart: async (number) => {
      gateways[number] = owned.use(await start(number, configFiles[number] ?? ''));
    },
    readiness: (number) => readiness(ports[number] ?? 0),
    startAgent: async (number) => {
      balancer.servers = [ports[number] ?? 0];
      const agent = owned.use(await set.startAgent({ gatewayUrl: `https://127.0.0.1:${balancer.port}` }));
      balancer.servers = ports;
      const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
      return { agent, target: { relayPort: agent.relayPort, host, port: origin.port, ca } };
    },
    command: (number, ...args) => mustRunShared([...args, '--config', configFiles[number] ?? '']),
    check: async () => {
      const { receipts } = origin;
      await waitUntil('the audit has all', async () => {
        const paths = new Set((await events()).map(({ path }) => path));
        return [...receipts].every((path) => paths.has(path));
      });
      const all = await events();
      history.check(all, receipts);
      return all.filter(
        ({ kind, errorCode, status, verdict }) =>
          kind === 'exchange' && (verdict !== 'allow' || errorCode !== undefined || Number(status) >= 400),
      );
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return fleet;
}

async function makeIdentity(folder: string, config: object): Promise<void> {
  const file = join(folder, 'identity.yaml');
  await writeFile(join(folder, 'policy.yaml'), stringify({ rules: [] }));
  const base = { publicNames: ['127.0.0.1'], stateDirectory: 'state', policy: 'policy.yaml' };
  await writeFile(file, stringify({ ...base, ...config }));
  await mustRunShared(['identity', 'make', '--config', file]);
}

/** A configuration like that of the first gateway, with a state folder of its own. */
async function furtherConfig(set: Deployment, number: number, own: object): Promise<string> {
  // Written by `deploy`.
  const first = parse(await readFile(set.configFile, 'utf8')) as Readonly<Record<string, unknown>>;
  const file = join(set.directory, `gateway-${number}.yaml`);
  await writeFile(file, stringify({ ...first, ...own, stateDirectory: `state-${number}` }));
  return file;
}

function readiness(port: number): Promise<Readiness | undefined> {
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
      text(response).then(
        (said) => resolve({ status: response.statusCode, text: said }),
        () => resolve(undefined),
      );
    });
  });
}
