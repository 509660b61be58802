// `upstreamproxy env`: the environment for a relay that runs already, started by `agent`.

import { join, resolve } from 'node:path';

import { workloadEnvironment as environmentTableFor } from '../../agent/environment.ts';
import { storesIn } from '../../agent/trust/workload-stores.ts';
import { ProxyError } from '../../protocol/error.ts';
import { choiceOption, numberOption, parseOptions, type Command } from '../terminal/command.ts';
import { environmentFormats, formatEnvironment } from './environment-format.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

const usage = `upstreamproxy env --relay-port PORT --state DIR [options]

Prints the variables by which clients find the relay and trust the gateway's certificates.

  --relay-port PORT     the relay's
  --state DIR           the agent's folder (\`agent --state DIR\`): all variables whose files are there
  --ca-bundle FILE      instead: a PEM bundle alone
  --format FORM         sh (default), fish, json, dotenv, docker (--env-file) or github ($GITHUB_ENV)
  --without NAME        leaves this variable out; may be given several times
`;

async function env(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('env', args, {
    'relay-port': { type: 'string' },
    'ca-bundle': { type: 'string' },
    state: { type: 'string' },
    format: { type: 'string' },
    without: { type: 'string', multiple: true },
  });
  const { 'relay-port': port, 'ca-bundle': bundle, state } = values;
  if (port === undefined || (bundle === undefined) === (state === undefined))
    throw new ProxyError(
      'usage',
      'name the relay and its files: --relay-port PORT --state DIR (or --ca-bundle FILE)',
    );
  const format = choiceOption('format', values.format, environmentFormats);
  const environment = environmentTableFor({
    port: numberOption('relay-port', port, { min: 1, max: 65_535, otherwise: 1 }),
    files: state === undefined ? { bundle: resolve(bundle ?? '') } : await filesOf(resolve(state)),
    base: workloadEnvironment(process.env),
    placeholders: {},
  });
  process.stdout.write(formatEnvironment(without(environment, values.without ?? []), format));
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

export const envCommand: Command = { usage, run: env };
