// Which gateway an operator's command is about, and the way to it: a configuration or a state folder on this machine, or an admin API.

import type { AdminConnection, ServerPlace } from '../../admin/admin-connection.ts';
import { readCa, readSmall, readToken, serverOf } from '../../admin/admin-place.ts';
import { ProxyError } from '../../protocol/error.ts';
import { Secret } from '../../protocol/secret.ts';
import type { operatorPlaceOptions } from '../commands/operator-place-options.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { contextOf, contextsPath, readContexts } from './contexts.ts';
import type { OperatorBackend } from './operator-backend.ts';
import { noteVerbose } from '../terminal/notes.ts';

export type PlaceOptions = { readonly [Name in keyof typeof operatorPlaceOptions]?: string | undefined } & {
  readonly verbose?: boolean | undefined;
};

/** Loads the way that is taken alone. @throws ProxyError usage, config_invalid, store_* */
export async function openOperatorBackend(
  options: PlaceOptions,
  access: 'read' | 'write',
): Promise<OperatorBackend> {
  const connection = await openConnection(options);
  if (connection === undefined) {
    const config = await gatewayOfOptions(options);
    const { openStoreBackend } = await import('./store-backend.ts');
    return await openStoreBackend(config, access);
  }
  const { serverBackend } = await import('./server-backend.ts');
  return serverBackend(connection);
}

/** Undefined: a gateway of this machine, or none, is meant. @throws ProxyError usage, config_invalid */
export async function openConnection(
  options: PlaceOptions,
  { orCurrent }: { readonly orCurrent: boolean } = { orCurrent: true },
): Promise<AdminConnection | undefined> {
  const place = await serverOfOptions(options, orCurrent);
  if (place === undefined) return undefined;
  noteVerbose(options, `asks the gateway at ${new URL(place.server).origin}`);
  const { AdminConnection: Connection } = await import('../../admin/admin-connection.ts');
  return new Connection(place);
}

/** `orCurrent`: without any of them the current context is asked. */
async function serverOfOptions(options: PlaceOptions, orCurrent: boolean): Promise<ServerPlace | undefined> {
  const { server, context, config, state, ca } = options;
  const ways = Object.entries({ server, context, config, state }).filter(([, value]) => value !== undefined);
  const [first, second] = ways.map(([name]) => `--${name}`);
  if (second !== undefined && !(first === '--config' && second === '--state'))
    throw new ProxyError('usage', `give ${first} or ${second}, not both`);
  if (server !== undefined) {
    const token = await tokenOfOptions(options);
    if (token === undefined)
      throw new ProxyError(
        'usage',
        'with which token? --token-file FILE, --token-env VARIABLE, or log in first and leave --server out',
      );
    return { server: readServer(server), token, ...(ca === undefined ? {} : { ca: await readCa(ca) }) };
  }
  for (const name of ['ca', 'token-file', 'token-env'] as const)
    if (options[name] !== undefined) throw new ProxyError('usage', `--${name} goes with --server`);
  if (config !== undefined || state !== undefined || (context === undefined && !orCurrent)) return undefined;
  const kept = await readContexts(contextsPath(workloadEnvironment(process.env)));
  const name = context ?? kept.current;
  if (name === undefined) return undefined;
  const found = contextOf(kept, name);
  return { server: readServer(found.server), token: new Secret(found.token), ca: found.ca };
}

/** @throws ProxyError usage */
export function readServer(text: string): URL {
  const server = serverOf(text);
  if (server === undefined) throw badServer();
  return server;
}

function badServer(): ProxyError {
  return new ProxyError(
    'usage',
    '--server takes https://host:port, or http:// with a loopback address, such as http://127.0.0.1:9443',
  );
}

/** Of `--token-file` or `--token-env`; undefined where neither is given. @throws ProxyError usage, config_invalid */
export async function tokenOfOptions(
  options: Pick<PlaceOptions, 'token-file' | 'token-env'>,
): Promise<Secret<string> | undefined> {
  const { 'token-file': file, 'token-env': variable } = options;
  if (file !== undefined && variable !== undefined)
    throw new ProxyError('usage', 'give --token-file or --token-env, not both');
  if (file !== undefined) return readToken(await readSmall(file));
  if (variable === undefined) return undefined;
  const value = workloadEnvironment(process.env)[variable];
  if (value === undefined) throw new ProxyError('usage', 'the variable of --token-env is not set');
  return readToken(value);
}
