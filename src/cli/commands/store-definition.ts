// `upstreamproxy store`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';

const copy = {
  kind: 'command',
  name: 'copy',
  summary: 'moves the state of a SQLite file into an empty PostgreSQL database',
  description: [
    'FROM is marked first: from then on no program writes it, running or not. A gateway that runs on it serves its sessions for `storeOutageMs` as while a store is away, and keeps their audit in its spool; start it with TO on the same state folder, and it delivers that.',
    'TO is usable once all of it was read again and is what FROM has. What is cut off leaves TO empty, and can be run again.',
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

export const storeDefinition = {
  kind: 'group',
  name: 'store',
  summary: 'moves the state of a gateway to another store',
  question: 'what about the store?',
  actions: [copy],
} as const satisfies GroupDefinition;
