// Two gateways with one identity on one PostgreSQL database, and a balancer before them that knows nothing of what it passes on.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { mustRunShared } from './command-process.ts';
import { cuttingRelay, type CuttingRelay } from './cutting-relay.ts';
import { deploy, type Deployment, type DeploymentOptions } from './deployment.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';
import { startGatewayProcess, type GatewayProcess } from './program.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export interface GatewayPair extends AsyncDisposable {
  /** The first gateway, with what agents are given. */
  readonly set: Deployment;
  readonly other: GatewayProcess;
  /** Of the other one. */
  readonly otherConfigFile: string;
  readonly database: PostgresServer;
  /** Leads to the first gateway until it is told otherwise. */
  readonly balancer: CuttingRelay;
  readonly balancerUrl: string;
  readonly identityDirectory: string;
  /** Leads new connections to this one, and breaks those that are there. */
  moveTo(gateway: GatewayProcess): void;
  portOf(gateway: GatewayProcess): number;
}

/** `of`: more of the configuration of each, by the URL of the store. */
export async function gatewayPair(
  options: DeploymentOptions,
  of: (which: 'first' | 'other', store: string) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<GatewayPair> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await startPostgres());
  await database.run("CREATE DATABASE state ENCODING 'UTF8' TEMPLATE template0");
  const balancer = stack.use(await cuttingRelay());
  const balancerUrl = `https://127.0.0.1:${balancer.port}`;
  const shared = stack.use(await temporaryDirectory()).path;
  const identityDirectory = join(shared, 'identity');
  await mkdir(identityDirectory, { mode: 0o700 });
  const makerFile = join(shared, 'maker.yaml');
  await writeFile(makerFile, stringify({ identity: { directory: identityDirectory }, policy: 'observe' }));
  await mustRunShared(['identity', 'make', '--config', makerFile]);
  const config = {
    store: database.url('state'),
    identity: { directory: identityDirectory },
    publicOrigins: [balancerUrl],
    ...options.config,
  };
  const set = stack.use(await deploy({ ...options, config: { ...config, ...of('first', config.store) } }));
  const otherConfigFile = join(set.directory, 'other.yaml');
  // Written by `deploy`: a map.
  const written = parse(await readFile(set.configFile, 'utf8')) as Readonly<Record<string, unknown>>;
  await writeFile(
    otherConfigFile,
    stringify({ ...written, stateDirectory: 'other-state', ...of('other', config.store) }),
  );
  const other = stack.use(await startGatewayProcess(otherConfigFile, options.environment));
  const portOf = ({ url }: GatewayProcess): number => Number(new URL(url).port);
  balancer.leadTo(portOf(set.gateway));
  const owned = stack.move();
  return {
    set,
    other,
    otherConfigFile,
    database,
    balancer,
    balancerUrl,
    identityDirectory,
    portOf,
    moveTo: (gateway) => {
      balancer.leadTo(portOf(gateway));
      balancer.cut();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
