// `upstreamproxy identity`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const make = {
  kind: 'command',
  name: 'make',
  summary: 'makes the keys and authorities that several gateways share',
  description: [
    'Makes what is missing in `identity.directory`: the signing key, the authority that intercepts, that of the port, and that by which gateways know each other. Gateways make nothing there: one that cannot read them must not start others. Keys that are there stay as they are.',
    'With `identity: { store: true }` they are made in the store, sealed with the key-encryption key, where there are none: the first gateway would do the same.',
    'Run it once, then give the folder, or the key-encryption key, to every gateway.',
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

const take = {
  kind: 'command',
  name: 'import',
  summary: 'gives the keys and authorities of a folder to the store',
  description: [
    'For gateways that had them in files (`identity.directory`, or the state folder of a single one) and are to have them in the store: the configuration says `identity: { store: true }` already. Running gateways go on; start them one after the other with that configuration, then remove the folder.',
    'Refused while something rotates in the folder, where the store has an identity already, and where the gateways on it have another one.',
  ],
  arguments: [{ name: 'DIRECTORY', help: 'the folder with `signing-key.pem` and `ca`', required: true }],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy identity import /srv/upstreamproxy/identity --config gateway.yaml',
      purpose: 'from a folder to the store',
    },
  ],
} as const satisfies CommandDefinition;

const rewrap = {
  kind: 'command',
  name: 'rewrap',
  summary:
    'seals the identity in the store for the key-encryption keys of the configuration, and for no other',
  description: [
    'With `nextKeyEncryptionKey` in the configuration both keys open it from then on. Give the next key to every gateway as `keyEncryptionKey`, and start it again. Then run this with a configuration that has the new key alone. The old key does not open what is written from then on.',
    'The old key still opens what it could open before, such as a backup of the database. So after a leak of the key, rotate the keys and authorities too.',
    'Refused while a gateway serves that could not start again: each says in the store which keys it has. Refused too while one is away without having said that it ends: its machine is down, or cut off. It is known for an hour; after that, and where it ended by itself, nobody looks for it. With `--even-if-away` that does not count, and with `--force` nothing does: such a gateway goes on with what it has until it ends.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    'even-if-away': {
      kind: 'flag',
      help: 'also where a gateway that is away could not start again, such as one whose machine is gone',
    },
    force: {
      kind: 'flag',
      help: 'also where a gateway that serves could not start again, such as one that is given up',
    },
  },
  examples: [
    {
      line: 'upstreamproxy identity rewrap --config gateway.yaml',
      purpose: 'the first and the last step of a change of the key',
    },
  ],
} as const satisfies CommandDefinition;

const certificate = {
  kind: 'command',
  name: 'certificate',
  summary: "puts the operator's certificate of the port into the store",
  description: [
    'For gateways whose configuration says `tls: store`: each of them serves it within 2 s. Run it again with each certificate that follows; connections that stand keep what they began with.',
  ],
  arguments: [
    { name: 'CERTIFICATE', help: 'PEM file of the chain', required: true },
    { name: 'KEY', help: 'PEM file of its key', required: true },
  ],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy identity certificate fullchain.pem privkey.pem --config gateway.yaml',
      purpose: 'behind each renewal',
    },
  ],
} as const satisfies CommandDefinition;

const claim = {
  kind: 'command',
  name: 'claim',
  summary: 'makes the keys and authorities of this configuration those of the gateways on its store',
  description: [
    'A gateway whose keys are in files starts on a database only with those of the gateways that were there before, even if they are gone. This says that they are replaced on purpose, such as after the loss of a state folder. Agents of the ones before are strangers to it.',
  ],
  arguments: [],
  options: gatewayPlaceOptions,
  examples: [
    {
      line: 'upstreamproxy identity claim --config gateway.yaml',
      purpose: 'behind the loss of the keys of before',
    },
  ],
} as const satisfies CommandDefinition;

export const identityDefinition = {
  kind: 'group',
  name: 'identity',
  summary: 'makes and moves the keys and authorities that several gateways share',
  question: 'what about the identity of the gateways?',
  actions: [make, take, rewrap, certificate, claim],
} as const satisfies GroupDefinition;
