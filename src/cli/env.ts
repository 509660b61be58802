// `upstreamproxy env`: the environment for a relay that runs already, started by `agent`.

import { resolve } from 'node:path';

import { workloadEnvironment as environmentTableFor } from '../agent/environment.ts';
import { ProxyError } from '../protocol/error.ts';
import { choiceOption, numberOption, parseOptions, type Command } from './command.ts';
import { environmentFormats, formatEnvironment } from './environment-format.ts';
import { workloadEnvironment } from './workload-environment.ts';

const usage = `upstreamproxy env --relay-port PORT --ca-bundle FILE [--format sh|json|dotenv]

Prints the variables by which clients find the relay and trust the gateway's certificates.
`;

async function env(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('env', args, {
    'relay-port': { type: 'string' },
    'ca-bundle': { type: 'string' },
    format: { type: 'string' },
  });
  const { 'relay-port': port, 'ca-bundle': bundle } = values;
  if (port === undefined || bundle === undefined) {
    throw new ProxyError('usage', 'name the relay and the bundle: --relay-port PORT --ca-bundle FILE');
  }
  const format = choiceOption('format', values.format, environmentFormats);
  const environment = environmentTableFor({
    port: numberOption('relay-port', port, { min: 1, max: 65_535, otherwise: 1 }),
    files: { bundle: resolve(bundle) },
    base: workloadEnvironment(process.env),
    placeholders: {},
  });
  process.stdout.write(formatEnvironment(environment, format));
  return 0;
}

export const envCommand: Command = { usage, run: env };
