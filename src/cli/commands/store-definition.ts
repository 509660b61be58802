// `upstreamproxy store`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const copy = {
  kind: 'command',
  name: 'copy',
  summary: 'moves the state of a SQLite file into an empty PostgreSQL database',
  description: [
    'It marks FROM first: from then on no program can write it. A gateway that runs on it serves its sessions for `storeOutageMs`, as while a store is away, and keeps their audit in its spool. Start it with TO on the same state folder, and it delivers that audit.',
    'TO is usable once everything in it was read again and compared with FROM. If the command is cut off, TO stays empty and marked, so that no gateway starts on it. Run it again.',
  ],
  arguments: [
    {
      name: 'FROM',
      help: 'a configuration file of the gateway, or `sqlite:/path/to/state.db`',
      required: true,
      takes: 'path',
    },
    {
      name: 'TO',
      help: 'a configuration file whose `store` is the database, with a role that owns its schema',
      required: true,
      takes: 'path',
    },
  ],
  options: {},
  examples: [
    {
      line: 'upstreamproxy store copy gateway.yaml gateway-postgres.yaml',
      purpose: 'before the gateway is started with gateway-postgres.yaml',
    },
  ],
} as const satisfies CommandDefinition;

const backup = {
  kind: 'command',
  name: 'backup',
  summary: 'writes the store into a new file, as it is at one moment, also while gateways run',
  description: [
    'The file is JSON lines of mode 0600, the same for SQLite and PostgreSQL. It has no token and no key in plain text, and the whole audit. For PostgreSQL, a role that may only read is enough.',
  ],
  arguments: [{ name: 'FILE', help: 'that is made', required: true, takes: 'path' }],
  options: gatewayPlaceOptions,
  examples: [
    { line: 'upstreamproxy store backup state.backup --config gateway.yaml', purpose: 'before an upgrade' },
  ],
} as const satisfies CommandDefinition;

const restore = {
  kind: 'command',
  name: 'restore',
  summary: 'restores a backup into an empty store of either kind',
  description: [
    'A backup does not know what happened since: ended sessions would live, and used tokens would be fresh. Give what is known of that time with --audit, or end every session of the backup with --end-all.',
  ],
  arguments: [{ name: 'FILE', help: 'that store backup has written', required: true, takes: 'path' }],
  options: {
    ...gatewayPlaceOptions,
    audit: {
      kind: 'repeated',
      each: 'path',
      placeholder: 'FILE',
      help: 'the audit since the backup as JSON lines: what ended, was used or taken back stays so',
    },
    'end-all': {
      kind: 'flag',
      help: 'revokes every session, grant and token of an operator that the backup has',
    },
    'with-gap': {
      kind: 'flag',
      help: 'also where the audit begins after the backup was made: what happened between is forgotten',
    },
  },
  examples: [
    {
      line: 'upstreamproxy store restore state.backup --config gateway.yaml --audit audit.jsonl',
      purpose: 'with the file that the gateway wrote beside its store (audit.file)',
    },
  ],
} as const satisfies CommandDefinition;

export const storeDefinition = {
  kind: 'group',
  name: 'store',
  summary: "moves a gateway's state to another store, backs it up and restores it",
  question: 'what about the store?',
  actions: [copy, backup, restore],
} as const satisfies GroupDefinition;
