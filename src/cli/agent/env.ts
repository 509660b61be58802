// `upstreamproxy env`: the environment for a relay that runs already, started by `agent`.

import { join, resolve } from 'node:path';

import { workloadEnvironment as environmentTableFor } from '../../agent/environment.ts';
import { storesIn } from '../../agent/trust/workload-stores.ts';
import { ProxyError } from '../../protocol/error.ts';
import { envDefinition } from '../commands/env-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { formatEnvironment } from './environment-format.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

async function env({ options: values }: Input<typeof envDefinition>): Promise<number> {
  const { 'relay-port': port, 'ca-bundle': bundle, state } = values;
  if ((bundle === undefined) === (state === undefined))
    throw new ProxyError(
      'usage',
      'name the relay and its files: --relay-port PORT --state DIR (or --ca-bundle FILE)',
    );
  const environment = environmentTableFor({
    port,
    files: state === undefined ? { bundle: resolve(bundle ?? '') } : await filesOf(resolve(state)),
    base: workloadEnvironment(process.env),
    placeholders: {},
  });
  process.stdout.write(formatEnvironment(without(environment, values.without ?? []), values.format));
  return 0;
}

async function filesOf(directory: string): Promise<Parameters<typeof environmentTableFor>[0]['files']> {
  const { bundle, ...stores } = await storesIn(directory);
  if (bundle === undefined)
    throw new ProxyError('usage', `${join(directory, 'ca-bundle.pem')} is not there: does the agent run?`);
  return { bundle, ...stores };
}

/** Leaves variables out. Throws usage for one that is not there, which would be a slip. */
export function without(
  environment: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  const unknown = names.find((name) => !(name in environment));
  if (unknown !== undefined)
    throw new ProxyError('usage', `--without ${unknown}: that variable is not among those that are set`);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));
}

export const envCommand = commandOf(envDefinition, env);
