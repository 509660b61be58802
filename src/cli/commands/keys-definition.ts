// `upstreamproxy keys`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const next = {
  kind: 'command',
  name: 'next',
  summary: 'begins a rotation: makes the key that will sign tokens',
  description: [
    'Writes `next-signing-key.pem`, mode 0600, into the state folder; one that is there is never overwritten. Gateways that run on the folder take what it signs within 15 s. It signs nothing yet.',
    'With `identity: { store: true }` it is in a further version of the identity in the store, which every gateway takes within 2 s.',
    'Run it, and the other steps, as the user that the gateway runs as.',
  ],
  arguments: [],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy keys next --config gateway.yaml',
      purpose: 'the first step of a rotation',
    },
  ],
} as const satisfies CommandDefinition;

const change = {
  kind: 'command',
  name: 'switch',
  summary: 'signs with the next key from now on; tokens of the earlier key are still accepted',
  description: [
    'A key that is younger than 30 s is refused. The public half of the key before is kept as `old-signing-key.pem`. If the command is cut off, run it again.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    'at-once': {
      kind: 'flag',
      help: 'without the 30 s in which every gateway gets the key, such as after a leak',
    },
  },
  examples: [
    {
      line: 'upstreamproxy keys switch --config gateway.yaml',
      purpose: 'the second step',
    },
  ],
} as const satisfies CommandDefinition;

const retire = {
  kind: 'command',
  name: 'retire',
  summary: 'ends a rotation: tokens of the earlier key are no longer accepted',
  description: [
    'First wait until every session token that the earlier key signed has expired, and at least 15 minutes, so that running sessions get access tokens of the new key. A session that has none by then ends.',
  ],
  arguments: [],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy keys retire --config gateway.yaml',
      purpose: 'the last step',
    },
  ],
} as const satisfies CommandDefinition;

const show = {
  kind: 'command',
  name: 'show',
  summary: 'prints the public keys by which others verify what gateways sign, as a JWKS',
  description: [
    'Give it to an authorization server that exchanges tokens on behalf of sessions. It has the key that signs, and those that are accepted beside it while it rotates.',
  ],
  arguments: [],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy keys show --config gateway.yaml',
      purpose: 'the keys for an authorization server',
    },
  ],
} as const satisfies CommandDefinition;

export const keysDefinition = {
  kind: 'group',
  name: 'keys',
  summary: 'rotates the key that signs tokens',
  question: 'what about the signing key?',
  actions: [next, change, retire, show],
} as const satisfies GroupDefinition;
