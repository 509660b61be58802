// `upstreamproxy env`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { environmentOptions } from './environment-options.ts';

export const envDefinition = {
  kind: 'command',
  name: 'env',
  summary: 'prints the environment for a running relay',
  description: ["Prints the variables by which clients find the relay and trust the gateway's certificates."],
  forms: ['env --relay-port PORT --state DIR [options]', 'env --relay-port PORT --ca-bundle FILE [options]'],
  arguments: [{ name: 'OTHERS', help: 'not used', repeated: true, hidden: true }],
  options: {
    'relay-port': {
      kind: 'port',
      placeholder: 'PORT',
      min: 1,
      required: true,
      help: "the relay's",
    },
    state: {
      kind: 'path',
      placeholder: 'DIR',
      holds: 'folder',
      help: "the agent's folder (`agent --state DIR`): all variables whose files are there",
    },
    'ca-bundle': {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'instead: a PEM bundle alone',
    },
    ...environmentOptions,
  },
  examples: [
    {
      line: 'eval "$(upstreamproxy env --relay-port 3128 --state /run/proxy)"',
      purpose: 'for the commands of this shell',
    },
  ],
} as const satisfies CommandDefinition;
