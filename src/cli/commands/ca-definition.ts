// `upstreamproxy ca`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const show = {
  kind: 'command',
  name: 'show',
  summary: "prints the certificates of the gateway's authority",
  description: [
    'Prints the certificates of the authority that signs for intercepted hosts, as PEM. They are made on first use.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    server: {
      kind: 'flag',
      help: "instead, what an agent pins as --gateway-ca: the authority of the gateway's own port",
    },
    format: {
      kind: 'choice',
      placeholder: 'FORM',
      help: 'the form of the certificates; the stores of Java, for images that are made without an agent, have the password changeit',
      choices: { pem: 'text', jks: 'a store of Java', pkcs12: 'a newer store of Java' },
      otherwise: 'pem',
    },
    summary: {
      kind: 'flag',
      help: 'subject, validity, SHA-256 fingerprint and pin of the key instead of PEM',
    },
    json: { kind: 'flag', help: 'the summary as one JSON object a line' },
  },
  examples: [
    {
      line: 'upstreamproxy ca show --server --config gateway.yaml > gateway-ca.pem',
      purpose: 'what an agent takes as --gateway-ca',
    },
  ],
  lists: { what: 'the certificates: subject, validity, fingerprint and pin', as: 'lines' },
} as const satisfies CommandDefinition;

export const caDefinition = {
  kind: 'group',
  name: 'ca',
  summary: show.summary,
  question: 'what about the authority?',
  actions: [show],
} as const satisfies GroupDefinition;
