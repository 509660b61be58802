// Prints environment variables in the form that a shell, a program or a container tool reads.

import { randomBytes } from 'node:crypto';

import { ProxyError } from '../../protocol/error.ts';
import type { EnvironmentFormat } from '../commands/environment-options.ts';
import type { Environment } from '../terminal/workload-environment.ts';

/**
 * `sh` and `fish` are for `eval` and `source`, `dotenv` for files that quote, `docker` for `--env-file`, `github` for
 * `$GITHUB_ENV`, `json` for programs. Ends with a line break. Throws usage for a value that the form cannot say.
 */
export function formatEnvironment(environment: Environment, format: EnvironmentFormat): string {
  if (format === 'json') return `${JSON.stringify(environment, undefined, 2)}\n`;
  return Object.entries(environment)
    .map(([name, value]) => assignment(name, value, format))
    .join('');
}

function assignment(name: string, value: string, format: Exclude<EnvironmentFormat, 'json'>): string {
  switch (format) {
    case 'sh':
      return `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`;
    case 'fish':
      return `set -gx ${name} '${value.replaceAll(/[\\']/g, '\\$&')}'\n`;
    case 'dotenv':
      return `${name}=${dotenvValue(name, value)}\n`;
    case 'docker':
      // Everything up to the end of the line is the value: there are no quotes.
      if (/[\r\n]/.test(value)) throw cannotSay(name, format);
      return `${name}=${value}\n`;
    case 'github':
      return githubAssignment(name, value);
  }
}

/** Readers agree on what stands in single quotes; on escapes, and on `#` and `$` outside of quotes, they do not. */
function dotenvValue(name: string, value: string): string {
  if (/^[\w./:@,+=-]*$/.test(value)) return value;
  if (!value.includes("'")) return `'${value}'`;
  if (!/["\\$`]/.test(value)) return `"${value}"`;
  throw cannotSay(name, 'dotenv');
}

/** The runner refuses a file that sets NODE_OPTIONS, so it is left out. */
function githubAssignment(name: string, value: string): string {
  if (name === 'NODE_OPTIONS') return '';
  // Nobody who chose the value can know the line that ends it.
  const end = `end-${randomBytes(16).toString('hex')}`;
  return `${name}<<${end}\n${value}\n${end}\n`;
}

function cannotSay(name: string, format: EnvironmentFormat): ProxyError {
  return new ProxyError(
    'usage',
    `the value of ${name} cannot be said in the form ${format}; take another, or leave it out: --without ${name}`,
  );
}
