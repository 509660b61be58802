// `upstreamproxy context`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption } from './gateway-place-options.ts';

const name = [{ name: 'NAME', help: 'of the context, as `context list` shows it', required: true }] as const;

const list = {
  kind: 'command',
  name: 'list',
  summary: 'lists the contexts; the current one has a star',
  arguments: [],
  options: { json: jsonLinesOption },
  examples: [{ line: 'upstreamproxy context list', purpose: 'where commands ask' }],
  lists: { what: 'contexts, without their tokens', as: 'lines' },
} as const satisfies CommandDefinition;

const use = {
  kind: 'command',
  name: 'use',
  summary: 'makes a context the current one, for commands that name no gateway',
  arguments: name,
  options: {},
  examples: [{ line: 'upstreamproxy context use admin.example.com:9443', purpose: 'from now on' }],
} as const satisfies CommandDefinition;

const remove = {
  kind: 'command',
  name: 'remove',
  summary: 'forgets a context and its token; the token stays good until it ends or is revoked',
  arguments: name,
  options: {},
  examples: [{ line: 'upstreamproxy context remove admin.example.com:9443', purpose: 'forgets it' }],
} as const satisfies CommandDefinition;

export const contextDefinition = {
  kind: 'group',
  name: 'context',
  summary: 'lists and picks the gateways that you have logged in to',
  question: 'what about contexts?',
  actions: [list, use, remove],
} as const satisfies GroupDefinition;
