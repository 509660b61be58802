// `upstreamproxy session`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption, jsonObjectOption } from './gateway-place-options.ts';
import { operatorPlaceOptions } from './operator-place-options.ts';

const list = {
  kind: 'command',
  name: 'list',
  summary: 'lists living sessions, newest first',
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    all: { kind: 'flag', help: 'also those that are over, for 30 days' },
    number: {
      kind: 'number',
      short: 'n',
      placeholder: 'N',
      min: 1,
      max: 100_000,
      otherwise: 1000,
      help: 'how many at most',
    },
    json: jsonLinesOption,
  },
  examples: [{ line: 'upstreamproxy session list --config gateway.yaml', purpose: 'who is connected' }],
  lists: {
    what: 'sessions, with the claims of each, which `policy explain --claims` takes from a file',
    as: 'lines',
  },
} as const satisfies CommandDefinition;

const revoke = {
  kind: 'command',
  name: 'revoke',
  summary: 'ends a session: its streams end within 2 s, and its token starts no other',
  arguments: [{ name: 'ID', help: 'of the session, as `session list` shows it', required: true }],
  options: {
    ...operatorPlaceOptions,
    reason: { kind: 'value', placeholder: 'TEXT', help: 'for the audit and the agent' },
    json: jsonObjectOption,
  },
  examples: [
    {
      line: "upstreamproxy session revoke ID --config gateway.yaml --reason 'the job was stopped'",
      purpose: 'ends one, and says which gateways have ended it',
    },
  ],
  lists: { what: 'the session, and which gateways have ended it', as: 'object' },
} as const satisfies CommandDefinition;

const narrow = {
  kind: 'command',
  name: 'narrow',
  summary: 'in a container: runs a command in a smaller session than the current one',
  description: [
    'For a sub-agent. The agent of the container makes a session that may do only what both --policy and the current session allow, and ends it with the command. The policy is written like any other, with the keys that can leave less (docs/reference/policy.md).',
    "The command runs in a jail with its own network, from which it reaches neither the relay of the current session nor the processes of whoever starts it. Its exit code is the command's own.",
  ],
  arguments: [],
  command: 'the command to run, with its arguments',
  options: {
    policy: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      required: true,
      help: 'what the command may do, within what the current session may',
    },
    lifetime: {
      kind: 'duration',
      placeholder: 'TIME',
      msMax: 86_400_000,
      help: 'how long its session lives, such as 10m; default: as long as the current one',
    },
    unconfined: {
      kind: 'flag',
      help: 'no jail: the command can reach the current session, so only well-behaved programs keep to --policy',
    },
    relay: {
      kind: 'value',
      placeholder: 'URL',
      help: 'the relay of the session; default: the proxy of the environment (https_proxy, HTTPS_PROXY)',
    },
  },
  examples: [
    {
      line: 'upstreamproxy session narrow --policy read-only.yaml -- ./sub-agent.sh',
      purpose: 'gives a sub-agent a part of what its parent may',
    },
  ],
} as const satisfies CommandDefinition;

export const sessionDefinition = {
  kind: 'group',
  name: 'session',
  summary: 'lists sessions, ends one, or runs a command in a smaller one',
  question: 'what about sessions?',
  actions: [list, revoke, narrow],
} as const satisfies GroupDefinition;

/** Of the single file for containers, where nobody operates a gateway. */
export const containerSessionDefinition = {
  ...sessionDefinition,
  summary: 'runs a command in a smaller session',
  actions: [narrow],
} as const satisfies GroupDefinition;
