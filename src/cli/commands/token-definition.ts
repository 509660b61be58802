// `upstreamproxy token`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const issue = {
  kind: 'command',
  name: 'issue',
  summary: 'makes a session token',
  description: [
    'Makes a token that starts one session. Whoever holds it can start that session, so hand it over as a file of mode 0600 or by a descriptor, never in an argument or a variable.',
  ],
  arguments: [],
  options: {
    ...gatewayPlaceOptions,
    subject: {
      kind: 'value',
      placeholder: 'NAME',
      required: true,
      help: "whose session it is, such as the container's name",
    },
    claim: {
      kind: 'repeated',
      each: 'text',
      placeholder: 'NAME=VALUE',
      help: 'a further claim, for policies to look at',
    },
    ttl: {
      kind: 'number',
      placeholder: 'SECONDS',
      min: 1,
      max: 86_400,
      help: 'until when the session must be started; default: as configured',
    },
    out: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'writes a new file of mode 0600 instead of printing it',
    },
  },
  examples: [
    {
      line: 'upstreamproxy token issue --config gateway.yaml --subject build-17 --claim team=web --out token',
      purpose: 'a token for one job, with a claim that a policy looks at',
    },
  ],
} as const satisfies CommandDefinition;

export const tokenDefinition = {
  kind: 'group',
  name: 'token',
  summary: issue.summary,
  question: 'what about tokens?',
  actions: [issue],
} as const satisfies GroupDefinition;
