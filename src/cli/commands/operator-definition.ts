// `upstreamproxy operator`, as a definition.

import type { AdminRole } from '../../api/admin/roles.ts';
import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption } from './gateway-place-options.ts';
import { operatorPlaceOptions } from './operator-place-options.ts';

const token = {
  kind: 'command',
  name: 'token',
  summary: 'makes a token for the admin API',
  description: ['The token is shown once. Anyone who holds it has its role until it ends.'],
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    name: {
      kind: 'value',
      placeholder: 'NAME',
      required: true,
      help: 'who uses it; it stands in the audit',
    },
    role: {
      kind: 'choice',
      placeholder: 'ROLE',
      required: true,
      help: 'what they may do',
      choices: {
        viewer: 'look at everything',
        approver: 'and decide requests for access',
        operator: 'and end sessions',
        administrator: 'and make tokens, and publish policies',
      } satisfies Record<AdminRole, string>,
    },
    for: {
      kind: 'duration',
      placeholder: 'DURATION',
      msMax: 366 * 86_400_000,
      help: 'how long it is good: 8h, 30d; at most a year',
    },
    sees: {
      kind: 'repeated',
      each: 'text',
      placeholder: 'CLAIM=VALUE',
      help: 'only sessions whose token has this claim; `*` stands for any text',
    },
    out: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'writes a new file of mode 0600 instead of printing it',
    },
  },
  examples: [
    {
      line: 'upstreamproxy operator token --config gateway.yaml --name ada --role approver --for 8h --sees team=web --out ada.token',
      purpose: 'for somebody who decides for one team',
    },
  ],
} as const satisfies CommandDefinition;

const list = {
  kind: 'command',
  name: 'list',
  summary: 'lists the tokens that are still good',
  arguments: [],
  options: { ...operatorPlaceOptions, json: jsonLinesOption },
  examples: [{ line: 'upstreamproxy operator list --config gateway.yaml', purpose: 'who may do what' }],
  lists: { what: 'tokens for the admin API, without the tokens themselves', as: 'lines' },
} as const satisfies CommandDefinition;

const revoke = {
  kind: 'command',
  name: 'revoke',
  summary: 'ends a token at once',
  arguments: [{ name: 'ID', help: 'of the token, as `operator list` shows it', required: true }],
  options: { ...operatorPlaceOptions },
  examples: [{ line: 'upstreamproxy operator revoke ID --config gateway.yaml', purpose: 'ends one' }],
} as const satisfies CommandDefinition;

export const operatorDefinition = {
  kind: 'group',
  name: 'operator',
  summary: 'makes, lists and revokes tokens for the admin API',
  question: 'what about operators?',
  actions: [token, list, revoke],
} as const satisfies GroupDefinition;
