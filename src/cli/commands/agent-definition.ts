// `upstreamproxy agent`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { agentOptionTable } from './agent-options-table.ts';
import { environmentOptions } from './environment-options.ts';

export const agentDefinition = {
  kind: 'command',
  name: 'agent',
  summary: 'runs the agent alone, and prints the environment for other commands',
  description: [
    'Starts a session, prints the environment for the commands of this container, and serves until SIGTERM.',
  ],
  forms: ['agent --gateway URL --token-file FILE [options]'],
  arguments: [],
  options: {
    ...agentOptionTable,
    ...environmentOptions,
    'env-file': {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'writes the environment to this file once the relay serves, instead of printing it; removes the file before that and at the end',
    },
    state: {
      kind: 'path',
      placeholder: 'DIR',
      holds: 'folder',
      help: 'folder for the CA bundle and other trust files; default: a temporary one',
    },
    posture: {
      kind: 'flag',
      help: 'prints on stderr what could be hardened; without --gateway that is all it does',
    },
  },
  examples: [
    {
      line: 'upstreamproxy agent --gateway https://gateway.example.com:8443 --token-file token --env-file /run/proxy.env --format docker',
      purpose: 'serves a container, and tells others by a file how to use it',
    },
    { line: 'upstreamproxy agent --posture', purpose: 'says what can be hardened here' },
  ],
} as const satisfies CommandDefinition;
