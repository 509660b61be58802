// `upstreamproxy catalog`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption, jsonObjectOption } from './gateway-place-options.ts';
import { policyFilesOption } from './policy-options.ts';

const name = { name: 'NAME', help: 'as `catalog list` shows it', required: true } as const;
const policy = { ...policyFilesOption, help: 'policy files that have services of your own' } as const;

const list = {
  kind: 'command',
  name: 'list',
  summary: 'the services that a rule can include by name',
  arguments: [],
  options: { policy, json: jsonLinesOption },
  lists: { what: 'the services', as: 'lines' },
  examples: [{ line: 'upstreamproxy catalog list', purpose: 'what there is' }],
} as const satisfies CommandDefinition;

const show = {
  kind: 'command',
  name: 'show',
  summary: 'what a service is to the policy: hosts, access, credentials, and what surprises people',
  description: [
    'It ends with a rule to copy, and with what the configuration of the gateway needs for its credential.',
  ],
  arguments: [name],
  options: {
    policy,
    rules: { kind: 'flag', help: 'the rules that it stands for, to copy and change' },
    json: jsonObjectOption,
  },
  lists: { what: 'the entry', as: 'object' },
  examples: [
    { line: 'upstreamproxy catalog show openai', purpose: 'before a rule includes it' },
    { line: 'upstreamproxy catalog show openai --rules > policy.yaml', purpose: 'to go on from there' },
  ],
} as const satisfies CommandDefinition;

const test = {
  kind: 'command',
  name: 'test',
  summary: 'asks the policy about the sample requests of services',
  description: [
    'Each sample says which access lets it through. It is asked with less, with that, and with more. Nothing is contacted.',
  ],
  arguments: [{ name: 'NAME', help: 'as `catalog list` shows them; all without it', repeated: true }],
  options: { policy, json: jsonLinesOption },
  lists: { what: 'the samples, each with what is wrong', as: 'lines' },
  exits: { 1: 'a sample was decided otherwise' },
  examples: [
    { line: 'upstreamproxy catalog test', purpose: 'after an upgrade' },
    {
      line: 'upstreamproxy catalog test our-tracker --policy catalog.yaml',
      purpose: 'a service of your own',
    },
  ],
} as const satisfies CommandDefinition;

export const catalogDefinition = {
  kind: 'group',
  name: 'catalog',
  summary: 'services that a rule can include by name',
  question: 'what do you want to know of the catalogue?',
  actions: [list, show, test],
} as const satisfies GroupDefinition;
