// `upstreamproxy access`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import type { AccessScope } from '../../store/access-store.ts';
import { jsonLinesOption, jsonObjectOption } from './gateway-place-options.ts';
import { operatorPlaceOptions } from './operator-place-options.ts';

const id = [{ name: 'ID', help: 'of the request, as `access list` shows it', required: true }] as const;
const note = { kind: 'value', placeholder: 'TEXT', help: 'told to the workload' } as const;

const list = {
  kind: 'command',
  name: 'list',
  summary: 'lists requests for access that wait, and the grants in force',
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    all: { kind: 'flag', help: 'decided and ended ones too' },
    number: {
      kind: 'number',
      short: 'n',
      placeholder: 'N',
      min: 1,
      max: 10_000,
      otherwise: 100,
      help: 'how many at most',
    },
    json: jsonLinesOption,
  },
  examples: [{ line: 'upstreamproxy access list --config gateway.yaml', purpose: 'what workloads ask for' }],
  lists: { what: 'requests for access and grants', as: 'lines' },
} as const satisfies CommandDefinition;

const grant = {
  kind: 'command',
  name: 'grant',
  summary: 'opens what was asked for, for a time',
  arguments: id,
  options: {
    ...operatorPlaceOptions,
    for: {
      kind: 'duration',
      placeholder: 'DURATION',
      // The configuration has the bound; this is the longest that any can have.
      msMax: 9_999_999 * 86_400_000,
      help: 'how long: 90s, 15m, 2h; at most a day',
    },
    scope: {
      kind: 'choice',
      placeholder: 'SCOPE',
      help: 'how much of the host',
      choices: {
        exact: 'the path that was asked for, which is the default where one was',
        path: 'it and all below',
        host: 'every path',
      } satisfies Record<AccessScope, string>,
    },
    refs: {
      kind: 'repeated',
      each: 'text',
      placeholder: 'REF',
      help: 'of a repository: only pushes that create or update this ref; * stands for one segment, ** at the end for more',
    },
    principal: { kind: 'flag', help: 'for every session of the principal, not only the one that asked' },
    note,
    json: jsonObjectOption,
  },
  examples: [
    {
      line: 'upstreamproxy access grant ID --for 15m --config gateway.yaml',
      purpose: 'for a quarter of an hour',
    },
    {
      line: "upstreamproxy access grant ID --for 1h --refs 'refs/heads/agent/**' --config gateway.yaml",
      purpose: 'a repository, for pushes to such branches alone',
    },
  ],
  lists: { what: 'what was done, and which gateways have taken it', as: 'object' },
} as const satisfies CommandDefinition;

const deny = {
  kind: 'command',
  name: 'deny',
  summary: 'refuses what was asked for',
  arguments: id,
  options: { ...operatorPlaceOptions, note, json: jsonObjectOption },
  examples: [
    {
      line: "upstreamproxy access deny ID --config gateway.yaml --note 'use the mirror'",
      purpose: 'says what to do instead',
    },
  ],
  lists: { what: 'what was done, and which gateways have taken it', as: 'object' },
} as const satisfies CommandDefinition;

const revoke = {
  kind: 'command',
  name: 'revoke',
  summary: 'ends a grant before its time',
  arguments: id,
  options: { ...operatorPlaceOptions, note, json: jsonObjectOption },
  examples: [{ line: 'upstreamproxy access revoke ID --config gateway.yaml', purpose: 'ends it now' }],
  lists: { what: 'what was done, and which gateways have taken it', as: 'object' },
} as const satisfies CommandDefinition;

const questions = {
  kind: 'command',
  name: 'questions',
  summary: 'lists requests that rules ask a person about',
  description: [
    'With --follow you are there to be asked. While nobody is, the gateway refuses such requests at once.',
  ],
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    follow: { kind: 'flag', short: 'f', help: 'goes on and prints each new question' },
    json: jsonLinesOption,
  },
  examples: [
    {
      line: 'upstreamproxy access questions --follow --config gateway.yaml',
      purpose: 'waits for what is asked',
    },
  ],
  lists: { what: 'questions', as: 'lines' },
} as const satisfies CommandDefinition;

const answer = {
  kind: 'command',
  name: 'answer',
  summary: 'decides about such a request',
  arguments: [
    { name: 'ID', help: 'of the question, as `access questions` shows it', required: true },
    {
      name: 'ANSWER',
      help: 'once, session, minutes (15 of them, as session for any body), always (once, and write a rule), or deny',
      required: true,
    },
  ],
  options: { ...operatorPlaceOptions, note, json: jsonObjectOption },
  examples: [
    {
      line: 'upstreamproxy access answer ID once --config gateway.yaml',
      purpose: 'lets this very request go on',
    },
  ],
  lists: { what: 'what was done, and which gateways have taken it', as: 'object' },
} as const satisfies CommandDefinition;

export const accessDefinition = {
  kind: 'group',
  name: 'access',
  summary: 'lists what workloads ask for, and decides about it',
  description: [
    'A grant opens what was asked for and nothing else: no credential, no private address, and nothing that a rule denies.',
    'Workloads write the reasons, which may be meant to mislead.',
  ],
  question: 'what about access?',
  actions: [list, grant, deny, revoke, questions, answer],
} as const satisfies GroupDefinition;
