// `upstreamproxy token`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

const issue = {
  kind: 'command',
  name: 'issue',
  summary: 'makes a session token, or a proxy token',
  description: [
    'Makes a token that starts one session. Whoever holds it can start that session, so hand it over as a file of mode 0600 or by a descriptor, never in an argument or a variable.',
    'With `--kind proxy` it makes a proxy token, for a container in which no agent can run: its clients show it to the listener `proxy` with each connection. All that shows one token is one session, until the token expires or its session is revoked.',
    'A client that sends a proxy token in the clear ends it. `--env` prints the variables that bring the proxy to those clients that speak TLS to it, and to no other.',
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
    credentials: {
      kind: 'repeated',
      each: 'text',
      placeholder: 'NAME',
      help: 'the credentials that its session may use, of those that rules put on; several with commas; default: what the policy says',
    },
    kind: {
      kind: 'choice',
      placeholder: 'KIND',
      choices: {
        session: 'for an agent, which starts one session with it',
        proxy: 'for clients without an agent',
      },
      otherwise: 'session',
      help: 'what it is for',
    },
    networks: {
      kind: 'repeated',
      each: 'text',
      placeholder: 'NETWORK',
      help: 'of a proxy token: the addresses that it may come from, such as 10.1.0.0/16; several with commas',
    },
    lifetime: {
      kind: 'duration',
      placeholder: 'TIME',
      msMax: 86_400_000,
      help: 'of a proxy token: how long it is good, such as 8h; default: 1h',
    },
    env: {
      kind: 'value',
      placeholder: 'URL',
      help: 'of a proxy token: prints variables for a shell in place of the token; URL is that of the listener, such as https://gateway.example.com:8444',
    },
    'ca-file': {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: "with --env: where the container has the gateway's certificates",
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
    {
      line: 'upstreamproxy token issue --config gateway.yaml --kind proxy --subject legacy-3 --networks 10.1.0.0/16 --lifetime 8h --out proxy-token',
      purpose: 'a token for a container without an agent, good from its network alone',
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
