// `upstreamproxy identity`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const make = {
  kind: 'command',
  name: 'make',
  summary: 'makes the keys and authorities that several gateways share',
  description: [
    'Makes what is missing in `identity.directory`: the signing key, the authority that intercepts, that of the port, and that by which gateways know each other. Gateways make nothing there: one that cannot read them must not start others. What is there stays as it is.',
    'Run it once, then give the folder to every gateway.',
  ],
  arguments: [],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy identity make --config gateway.yaml',
      purpose: 'before the first of several gateways starts',
    },
  ],
} as const satisfies CommandDefinition;

export const identityDefinition = {
  kind: 'group',
  name: 'identity',
  summary: 'what several gateways have in common: signing key and authorities',
  question: 'what about the identity of the gateways?',
  actions: [make],
} as const satisfies GroupDefinition;
