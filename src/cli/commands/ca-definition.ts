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
    peers: { kind: 'flag', help: 'instead, the authority by which gateways know each other' },
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

const server = {
  kind: 'flag',
  help: "instead, the authority of the gateway's own port, which agents pin",
} as const;

const peers = {
  kind: 'flag',
  help: 'instead, the authority by which gateways know each other',
} as const;

const next = {
  kind: 'command',
  name: 'next',
  summary: 'begins a rotation: makes the next pair, and publishes its certificate from then on',
  description: [
    'Writes `next-ca.key`, mode 0600, and `next-ca.pem` beside the authority. It never overwrites a file. If a run before was cut off and left a key without a certificate, it makes the certificate. Gateways that run on the folder publish the certificate within 15 s, and the bundles of running sessions have it within a minute. Nothing is signed with it yet.',
    'With --server it is `next-server-ca.key` and `next-server-ca.pem`: `ca show --server` shows both certificates, and running sessions are told when they renew.',
    'With --peers it is `next-peer-ca.key` and `next-peer-ca.pem`: gateways take certificates of both from each other.',
    'With `identity: { store: true }` nothing is written but a further version of the identity in the store, which every gateway takes within 2 s.',
    'Run it, and the other steps, as the user that the gateway runs as.',
  ],
  arguments: [],
  options: { ...gatewayPlaceOptions, server, peers },
  examples: [
    {
      line: 'upstreamproxy ca next --config gateway.yaml',
      purpose: 'the first step of a rotation',
    },
  ],
} as const satisfies CommandDefinition;

const change = {
  kind: 'command',
  name: 'switch',
  summary:
    'signs with the next pair from now on; the earlier certificate stays published, its key is removed',
  description: [
    'Wait until the programs that read their bundle before `ca next` have ended. A pair that is younger than two minutes is refused (30 s with --peers, 15 minutes, the life of an access token, with --server). Agents that start after a switch with --server need the new certificate as --gateway-ca. If the command is cut off, run it again.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    server,
    peers,
    'at-once': {
      kind: 'flag',
      help: 'without the time in which running sessions get the certificate, such as after a leak of the key',
    },
  },
  examples: [
    {
      line: 'upstreamproxy ca switch --config gateway.yaml',
      purpose: 'the second step',
    },
  ],
} as const satisfies CommandDefinition;

const retire = {
  kind: 'command',
  name: 'retire',
  summary: 'ends a rotation: the earlier certificates are no longer published',
  description: ['Running sessions lose them within a minute. Run it when every gateway has switched.'],
  arguments: [],
  options: { ...gatewayPlaceOptions, server, peers },
  examples: [
    {
      line: 'upstreamproxy ca retire --config gateway.yaml',
      purpose: 'the last step',
    },
  ],
} as const satisfies CommandDefinition;

export const caDefinition = {
  kind: 'group',
  name: 'ca',
  summary: "shows and rotates the gateway's authority",
  question: 'what about the authority?',
  actions: [show, next, change, retire],
} as const satisfies GroupDefinition;
