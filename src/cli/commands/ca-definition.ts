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
    signer: {
      kind: 'flag',
      help: 'instead, the certificate that signs, with those between it and the root, as they go along with each leaf',
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
  options: {
    ...gatewayPlaceOptions,
    server,
    peers,
    'own-root': {
      kind: 'flag',
      help: 'a root that the gateway makes, in place of an authority below a root of yours',
    },
  },
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

const request = {
  kind: 'command',
  name: 'request',
  summary: 'prints a request for an authority below a root of yours, whose key may stay offline',
  description: [
    'Makes a key where the gateway keeps its own, as `requested-ca.key` with mode 0600, or in the store. It prints a certificate signing request (PKCS #10) for that key. The key never leaves that place, and it signs nothing before `ca install`.',
    'Whoever has the key of the root signs it, with CA:TRUE, pathlen 0 and keyCertSign. Run again before `ca install`, it prints a request for the same key.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    'common-name': {
      kind: 'value',
      placeholder: 'NAME',
      help: 'in place of "upstreamproxy CA"; 8 digits of the key follow it',
    },
    anew: { kind: 'flag', help: 'for another key: what is signed for the one that waits is refused then' },
  },
  examples: [
    {
      line: 'upstreamproxy ca request --config gateway.yaml > intermediate.csr',
      purpose: 'what the keeper of the root signs',
    },
  ],
} as const satisfies CommandDefinition;

const install = {
  kind: 'command',
  name: 'install',
  summary: 'takes what was signed for the key of `ca request`',
  description: [
    'Checks the chain as the strictest client does: the key that was requested, CA:TRUE, pathlen, key usage, validity, algorithms, and the way to a root. A chain that is refused changes nothing.',
    'If containers trust its root already, the new certificate signs from now on. Otherwise its root is published first, and the key waits for `ca switch`, as after `ca next`. The root may be left out of the file if it is published already.',
  ],
  arguments: [
    { name: 'CHAIN', help: 'PEM file: the signed certificate, those above it, and the root', required: true },
  ],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy ca install chain.pem --config gateway.yaml',
      purpose: 'the first time, and at each renewal',
    },
  ],
} as const satisfies CommandDefinition;

const encrypt = {
  kind: 'command',
  name: 'encrypt',
  summary: 'encrypts key files that are not, with the passphrase of the configuration',
  description: [
    'For a folder that was made without `certificateAuthority.passphrase`. Gateways need the passphrase before it. It changes the authority that intercepts, its next pair and a key that waits for its certificate. A file that is encrypted stays as it is.',
  ],
  arguments: [],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy ca encrypt --config gateway.yaml',
      purpose: 'once, after the passphrase was configured',
    },
  ],
} as const satisfies CommandDefinition;

export const caDefinition = {
  kind: 'group',
  name: 'ca',
  summary: "shows and rotates the gateway's authority",
  question: 'what about the authority?',
  actions: [show, next, change, retire, request, install, encrypt],
} as const satisfies GroupDefinition;
