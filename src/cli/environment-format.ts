// Prints environment variables in the form that a shell, a program or a container tool reads.

import type { Environment } from './workload-environment.ts';

export const environmentFormats = ['sh', 'json', 'dotenv'] as const;
export type EnvironmentFormat = (typeof environmentFormats)[number];

/** `sh` is for `eval`, `dotenv` for `--env-file`, `json` for programs. Ends with a line break. */
export function formatEnvironment(environment: Environment, format: EnvironmentFormat): string {
  const entries = Object.entries(environment);
  switch (format) {
    case 'sh':
      return entries.map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`).join('');
    case 'dotenv':
      return entries.map(([name, value]) => `${name}=${value}\n`).join('');
    case 'json':
      return `${JSON.stringify(environment, undefined, 2)}\n`;
  }
}
