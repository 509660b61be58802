// How `agent` and `env` print variables.

import type { OptionTable } from '../definition/command-definition.ts';

export const environmentOptions = {
  format: {
    kind: 'choice',
    placeholder: 'FORM',
    help: 'the form of the variables',
    choices: {
      sh: 'for eval',
      fish: 'for source',
      json: 'for programs',
      dotenv: 'for files that quote',
      docker: 'for --env-file',
      github: 'for $GITHUB_ENV',
    },
    otherwise: 'sh',
  },
  without: {
    kind: 'repeated',
    each: 'text',
    placeholder: 'NAME',
    help: 'leaves this variable out',
  },
} as const satisfies OptionTable;

export type EnvironmentFormat = keyof (typeof environmentOptions)['format']['choices'];
