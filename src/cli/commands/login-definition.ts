// `upstreamproxy login`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { jsonObjectOption } from './gateway-place-options.ts';
import { serverOptions } from './operator-place-options.ts';

export const loginDefinition = {
  kind: 'command',
  name: 'login',
  summary: "keeps the address of a gateway's admin API with a token, so that other commands ask there",
  description: [
    'Before it keeps anything, it asks the gateway whose token this is. The file of contexts has mode 0600, and commands of `run` cannot see it.',
    'Without --token-file and --token-env the token is read from standard input.',
  ],
  arguments: [],
  options: {
    server: {
      kind: 'value',
      placeholder: 'URL',
      required: true,
      help: 'the admin API, such as https://admin.example.com:9443',
    },
    ...serverOptions,
    name: {
      kind: 'value',
      placeholder: 'NAME',
      help: 'what the context is called; host and port by default',
    },
    json: jsonObjectOption,
  },
  examples: [
    {
      line: 'upstreamproxy login --server https://admin.example.com:9443 --token-file ada.token',
      purpose: 'with a token that an administrator made',
    },
  ],
  lists: { what: 'the context, and who one is there', as: 'object' },
} as const satisfies CommandDefinition;
