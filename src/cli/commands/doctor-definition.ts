// `upstreamproxy doctor`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';

export const doctorDefinition = {
  kind: 'command',
  name: 'doctor',
  summary: 'shows which clients find the relay here, and what helps the others',
  description: [
    "Run it inside the container, in the environment of a session. For every client that is present, it says by which variable or file the client finds the relay and trusts the gateway's certificates. It proves that with a request that the gateway itself responds to. If that fails, it prints what helps.",
  ],
  arguments: [
    { name: 'CLIENT', help: 'one that --list prints; all that are present if none is named', repeated: true },
  ],
  options: {
    json: { kind: 'flag', help: 'one object instead of text; with --list an object a line' },
    'no-proof': { kind: 'flag', help: 'judges only by settings, and sends no request except its own' },
    relay: {
      kind: 'value',
      placeholder: 'URL',
      help: 'the relay; default: the proxy of the environment (https_proxy, HTTPS_PROXY)',
    },
    list: { kind: 'flag', help: 'prints the clients that it knows' },
  },
  examples: [
    { line: 'upstreamproxy doctor', purpose: 'every client that is present' },
    { line: 'upstreamproxy doctor npm git', purpose: 'two of them' },
  ],
  lists: {
    what: 'the report on relay, session, jail and clients; with --list the clients that it knows, an object a line',
    as: 'object',
  },
  exits: { 1: 'something does not work' },
} as const satisfies CommandDefinition;
