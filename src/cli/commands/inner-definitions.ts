// Commands that the program starts itself, as definitions.

import type { CommandDefinition } from '../definition/command-definition.ts';

export const jailHelperDefinition = {
  kind: 'command',
  name: 'jail-helper',
  summary: 'is for "upstreamproxy run"; use that',
  arguments: [],
  options: {},
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;

export const gitSignDefinition = {
  kind: 'command',
  name: 'git-sign',
  summary: 'is for git, which calls it to have commits and tags signed by the gateway',
  arguments: [{ name: 'WORDS', help: 'as ssh-keygen -Y sign has them', repeated: true, hidden: true }],
  options: {},
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;

export const embeddedGatewayDefinition = {
  kind: 'command',
  name: 'embedded-gateway',
  summary: 'is for "upstreamproxy run"; use that, or "upstreamproxy gateway"',
  arguments: [{ name: 'OTHERS', help: 'not used', repeated: true, hidden: true }],
  options: {
    state: {
      kind: 'path',
      placeholder: 'DIR',
      holds: 'folder',
      required: true,
      help: 'the folder of the run',
    },
    config: { kind: 'path', placeholder: 'FILE', holds: 'file', help: 'of a gateway' },
    policy: { kind: 'repeated', each: 'path', placeholder: 'FILE', help: 'what is allowed' },
    observe: { kind: 'flag', help: 'no policy decides' },
    'follow-policy': { kind: 'flag', help: 'changes of it take effect' },
    'home-credentials': {
      kind: 'choice',
      placeholder: 'WHAT',
      choices: { read: 'reads', write: 'writes too' },
      help: 'secrets of a home come on standard input',
    },
    'ui-port': { kind: 'value', placeholder: 'PORT', help: 'of 127.0.0.1, for the console' },
    'ui-by-address': { kind: 'flag', help: 'without a name of its own' },
    'keep-name-servers': { kind: 'flag', help: 'those of this moment' },
  },
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;

export const workerDefinition = {
  kind: 'command',
  name: 'gateway-worker',
  summary: 'is for "upstreamproxy gateway"; use that',
  arguments: [],
  options: {},
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;

export const signerDefinition = {
  kind: 'command',
  name: 'ca-signer',
  summary: 'is for "upstreamproxy gateway"; use that',
  arguments: [],
  options: {},
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;

export const pkcs11SignDefinition = {
  kind: 'command',
  name: 'pkcs11-sign',
  summary: 'is for the signer of a gateway; use "upstreamproxy gateway"',
  arguments: [],
  options: {},
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;
