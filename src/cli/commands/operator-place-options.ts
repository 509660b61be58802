// Which gateway an operator's command is about, on this machine or by its admin API.

import type { OptionTable } from '../definition/command-definition.ts';
import { gatewayPlaceOptions } from './gateway-place-options.ts';

/** How an admin API is verified, and by whom it is asked. */
export const serverOptions = {
  ca: {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    help: 'certificates that the server is verified against, instead of those that this machine trusts',
  },
  'token-file': {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    help: 'a file with a token for the server',
  },
  'token-env': {
    kind: 'value',
    placeholder: 'VARIABLE',
    help: 'or the environment variable that has it',
  },
} as const satisfies OptionTable;

/** A gateway elsewhere. */
export const adminPlaceOptions = {
  server: {
    kind: 'value',
    placeholder: 'URL',
    help: 'or the admin API of a gateway elsewhere, such as https://admin.example.com:9443',
  },
  ...serverOptions,
  context: {
    kind: 'value',
    placeholder: 'NAME',
    help: 'or one that `login` has kept; without any of these the current one',
  },
} as const satisfies OptionTable;

export const operatorPlaceOptions = {
  ...gatewayPlaceOptions,
  ...adminPlaceOptions,
} as const satisfies OptionTable;
