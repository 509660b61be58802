// `upstreamproxy connect`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';

export const connectDefinition = {
  kind: 'command',
  name: 'connect',
  summary: 'connects standard input and output to HOST:PORT through the relay',
  description: [
    'Connects its standard input and output to HOST:PORT through the relay. The policy needs a rule for raw TCP, or for the protocol that is spoken there.',
  ],
  arguments: [
    { name: 'HOST', help: 'name or address', required: true },
    { name: 'PORT', help: 'number of the port', required: true },
  ],
  options: {
    relay: {
      kind: 'value',
      placeholder: 'URL',
      help: 'the relay; default: the proxy of the environment (https_proxy, HTTPS_PROXY)',
    },
    timeout: {
      kind: 'number',
      placeholder: 'SECONDS',
      min: 1,
      max: 3_600,
      // The gateway responds when the origin did; a name that does not resolve takes the longest.
      otherwise: 60,
      help: 'how long to wait for the connection',
    },
  },
  examples: [
    {
      line: "ssh -o 'ProxyCommand upstreamproxy connect %h %p' git@git.example.com",
      purpose: 'ssh through the relay',
    },
  ],
} as const satisfies CommandDefinition;
