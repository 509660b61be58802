// `upstreamproxy credential`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions, jsonLinesOption } from './gateway-place-options.ts';

const name = {
  name: 'NAME',
  required: true,
  help: 'the credential, as the configuration names it',
} as const;

const login = {
  kind: 'command',
  name: 'login',
  summary: 'logs an operator in for a credential of kind oauth-login',
  description: [
    'Opens the page of the authorization server in a browser, which comes back to this machine (127.0.0.1). With `--device` it prints an address and a code, which can be opened on any machine.',
    'The tokens go into the store of the gateway, sealed, and nowhere else. Gateways that run on it use them within 10 s, and renew them before they end.',
    'Run it as the user that the gateway runs as, for it needs the keys of the gateway.',
  ],
  arguments: [name],
  options: {
    ...gatewayPlaceOptions,
    device: { kind: 'flag', help: 'by a code that is entered on any machine (RFC 8628)' },
    'no-browser': { kind: 'flag', help: 'prints the address in place of opening it' },
    port: {
      kind: 'number',
      placeholder: 'PORT',
      min: 1,
      max: 65_535,
      help: 'the port on 127.0.0.1 that the browser comes back to; default: any that is free',
    },
  },
  examples: [
    {
      line: 'upstreamproxy credential login tracker --config gateway.yaml',
      purpose: 'by a browser on this machine',
    },
    {
      line: 'upstreamproxy credential login tracker --config gateway.yaml --device',
      purpose: 'by a code, such as on a server',
    },
  ],
} as const satisfies CommandDefinition;

const logout = {
  kind: 'command',
  name: 'logout',
  summary: 'revokes the tokens of a log-in, and forgets them',
  description: [
    'Asks the authorization server to revoke the tokens (RFC 7009), and then removes them from the store. Gateways stop using them within 10 s. If the server cannot be asked, nothing is removed.',
  ],
  arguments: [name],
  options: {
    ...gatewayPlaceOptions,
    forget: {
      kind: 'flag',
      help: 'removes them without asking the server: revoke them there yourself',
    },
  },
  examples: [
    {
      line: 'upstreamproxy credential logout tracker --config gateway.yaml',
      purpose: 'ends what login began',
    },
  ],
} as const satisfies CommandDefinition;

const list = {
  kind: 'command',
  name: 'list',
  summary: 'says for which credentials somebody is logged in, and until when',
  description: [
    'The end is that of the access token, which gateways renew by themselves. `refused` means that the server no longer takes the refresh token: log in again.',
  ],
  arguments: [],
  options: { ...gatewayPlaceOptions, json: jsonLinesOption },
  examples: [
    { line: 'upstreamproxy credential list --config gateway.yaml', purpose: 'the log-ins of a gateway' },
  ],
  lists: { what: 'log-ins', as: 'lines' },
} as const satisfies CommandDefinition;

export const credentialDefinition = {
  kind: 'group',
  name: 'credential',
  summary: 'logs operators in for credentials of the gateway',
  question: 'what about credentials?',
  actions: [login, logout, list],
} as const satisfies GroupDefinition;
