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

export const sessionDefinition = {
  kind: 'group',
  name: 'session',
  summary: 'lists sessions, ends one',
  question: 'what about sessions?',
  actions: [list, revoke],
} as const satisfies GroupDefinition;
