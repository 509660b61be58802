// `upstreamproxy audit`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions, jsonLinesOption } from './gateway-place-options.ts';

const tail = {
  kind: 'command',
  name: 'tail',
  summary: 'prints what went through the gateway',
  description: [
    'Prints the last events: exchanges, streams, sessions and alarms. Under what was refused or failed stands why, with what only the operator is told.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    number: {
      kind: 'number',
      short: 'n',
      placeholder: 'N',
      min: 1,
      max: 100_000,
      otherwise: 20,
      help: 'how many',
    },
    follow: { kind: 'flag', short: 'f', help: 'goes on with what comes' },
    session: { kind: 'value', placeholder: 'ID', help: 'of one session only' },
    denied: { kind: 'flag', help: 'refused ones only' },
    since: {
      kind: 'duration',
      placeholder: 'DURATION',
      msMax: 3650 * 86_400_000,
      help: 'not older than this, such as 90m or 7d',
    },
    trace: {
      kind: 'value',
      placeholder: 'ID',
      help: 'of the trace that a denial names; its beginning will do',
    },
    host: { kind: 'value', placeholder: 'HOST', help: 'of one host, or of all below .HOST' },
    json: jsonLinesOption,
  },
  examples: [
    {
      line: 'upstreamproxy audit tail --config gateway.yaml --denied -n 5',
      purpose: 'the last five that were refused',
    },
    {
      line: 'upstreamproxy audit tail --config gateway.yaml --trace 36fceb3bd45f678c',
      purpose: 'what a denial was about',
    },
    {
      line: 'upstreamproxy audit tail --config gateway.yaml --follow --json',
      purpose: 'for a program that reads along',
    },
  ],
  lists: { what: 'audit events (docs/reference/audit.md)', as: 'lines' },
} as const satisfies CommandDefinition;

export const auditDefinition = {
  kind: 'group',
  name: 'audit',
  summary: tail.summary,
  question: 'what about the audit?',
  actions: [tail],
} as const satisfies GroupDefinition;
