// `upstreamproxy audit`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption } from './gateway-place-options.ts';
import { operatorPlaceOptions } from './operator-place-options.ts';

const tail = {
  kind: 'command',
  name: 'tail',
  summary: 'prints what went through the gateway',
  description: [
    'Prints the last events: exchanges, streams, sessions and alarms. Below a refusal or a failure it prints the reason, with the details that only the operator is told.',
  ],
  arguments: [],
  options: {
    ...operatorPlaceOptions,
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

const exported = {
  kind: 'command',
  name: 'export',
  summary: 'writes the events of a period to another program or a file',
  description: [
    'Writes events in the order of their time, oldest first, as fast as they are read. Only one page of them is in memory. The command ends when its reader does.',
    'An export that is cut off, by a connection, a fault or Ctrl-C, ends after a whole line, says which event is the last and exits with an error.',
    'In CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe, and control characters are escaped.',
  ],
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    since: {
      kind: 'value',
      placeholder: 'TIME',
      help: 'from this day or time on, such as 2026-01-31 or 2026-01-31T09:00:00Z, or how long ago, such as 7d',
    },
    until: { kind: 'value', placeholder: 'TIME', help: 'before this day or time' },
    format: {
      kind: 'choice',
      placeholder: 'FORMAT',
      choices: { ndjson: 'an event a line, as it is stored', csv: 'a table for spreadsheets' },
      otherwise: 'ndjson',
      help: 'how it is written',
    },
  },
  examples: [
    {
      line: 'upstreamproxy audit export --config gateway.yaml --since 2026-01-01 --until 2026-02-01 > january.ndjson',
      purpose: 'a month, to keep',
    },
    {
      line: 'upstreamproxy audit export --config gateway.yaml --since 7d --format csv > week.csv',
      purpose: 'a week, for a spreadsheet',
    },
    {
      line: 'upstreamproxy audit export --server https://admin.example.com:9443 --token-file audit.token --since 1d > day.ndjson',
      purpose: 'each day, from another machine',
    },
  ],
} as const satisfies CommandDefinition;

const verify = {
  kind: 'command',
  name: 'verify',
  summary: 'checks whether anybody changed the stored audit',
  description: [
    'Follows the chains of the audit through the store. It says what was removed, changed, added or reordered, which ends are missing, and which signatures are not from a gateway. Events that retention removed are signed for, and not a fault.',
    'Events from before there were chains count as not chained: nothing is known of them. So do events after the last head of their chain, which a gateway signs each minute. docs/reference/audit.md says what the command cannot find, and why.',
    'With the admin API, the gateway itself verifies, with its own keys: trust the result as much as the gateway. If that is not enough, verify in the store.',
  ],
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    since: {
      kind: 'value',
      placeholder: 'TIME',
      help: 'what was stored from this day or time on, such as 2026-01-31 or 2026-01-31T09:00:00Z, or how long ago, such as 7d; whole minutes of heads, so a little more',
    },
    until: { kind: 'value', placeholder: 'TIME', help: 'what was stored before this day or time' },
    key: {
      kind: 'value',
      placeholder: 'FILE',
      help: "public keys of the gateway's identity (PEM, one or several), where its folder is not here",
    },
    format: {
      kind: 'choice',
      placeholder: 'FORMAT',
      choices: { text: 'a line for each finding, and a summary', json: 'one object' },
      otherwise: 'text',
      help: 'how it is written',
    },
  },
  exits: { 1: 'something was found' },
  examples: [
    {
      line: 'upstreamproxy audit verify --config gateway.yaml',
      purpose: 'all that is kept',
    },
    {
      line: 'upstreamproxy audit verify --config gateway.yaml --since 1d --format json',
      purpose: 'each day, for a program that tells somebody',
    },
    {
      line: 'upstreamproxy audit verify --context production --since 1d',
      purpose: 'looked at by a gateway elsewhere',
    },
  ],
} as const satisfies CommandDefinition;

const body = {
  kind: 'command',
  name: 'body',
  summary: 'prints what a rule kept of the bodies of an exchange, or of a shell',
  description: [
    'If a rule says `capture`, the gateway keeps the beginnings of request and response, sealed, on its machine. Only those who may read its keys, or have the role operator at its admin API, can read them. The audit records who looks. Control characters are escaped.',
    'Of a shell of SSH the command prints what the shell showed. With --cast it writes asciicast, which a player such as asciinema replays. A player does with its terminal what the shell said, so use a terminal that nothing depends on.',
  ],
  arguments: [{ name: 'ID', help: 'of the event, as `audit tail --json` has it', required: true }],
  options: {
    ...operatorPlaceOptions,
    json: { kind: 'flag', help: 'one JSON object' },
    cast: { kind: 'flag', help: 'the recording of a shell alone, as asciicast (version 2)' },
  },
  examples: [
    {
      line: 'upstreamproxy audit body 01920000-0000-7000-8000-000000000000 --config gateway.yaml',
      purpose: 'what was sent, and what came',
    },
    {
      line: 'upstreamproxy audit body 01920000-0000-7000-8000-000000000000 --context production',
      purpose: 'kept by a gateway elsewhere',
    },
    {
      line: 'upstreamproxy audit body 01920000-0000-7000-8000-000000000000 --config gateway.yaml --cast > shell.cast',
      purpose: 'what a shell showed, for a player',
    },
  ],
  lists: {
    what: 'request and response, each with type, coding, bytes, whole, redacted, and text or base64; of a shell recording, with cast, bytes and whole',
    as: 'object',
  },
} as const satisfies CommandDefinition;

export const auditDefinition = {
  kind: 'group',
  name: 'audit',
  summary: 'prints, exports and verifies the record of what went through the gateway',
  question: 'what about the audit?',
  actions: [tail, exported, verify, body],
} as const satisfies GroupDefinition;
