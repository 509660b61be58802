// What a command is, and how it reads its options.

import { parseArgs, type ParseArgsConfig } from 'node:util';

import { ProxyError } from '../../protocol/error.ts';

/** One command of the program; each has a file of its own. */
export interface Command {
  /** Printed by `help <command>` and behind a wrong command line. */
  readonly usage: string;
  /** Runs to the end and gives the exit code; throws ProxyError. */
  run(args: readonly string[]): Promise<number>;
}

type OptionTable = NonNullable<ParseArgsConfig['options']>;

/**
 * Reads options by `node:util` `parseArgs`; a wrong one is a ProxyError `usage` that names the command to ask.
 */
export function parseOptions<const T extends OptionTable>(
  command: string,
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    // parseArgs adds hints about `--` after the first sentence; one line is enough here.
    const text = error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
    throw new ProxyError('usage', `${text.replace(/\.$/, '')}; see: upstreamproxy help ${command}`);
  }
}

/** A number option within bounds, or the value for "not given". Throws `usage`. */
export function numberOption(
  name: string,
  text: string | undefined,
  bounds: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  if (text === undefined) return bounds.otherwise;
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new ProxyError(
    'usage',
    `--${name} takes a number from ${bounds.min} to ${bounds.max}, not "${text}"`,
  );
}

/** One of a few words, or the first for "not given". Throws `usage`. */
export function choiceOption<const T extends readonly [string, ...string[]]>(
  name: string,
  text: string | undefined,
  choices: T,
): T[number] {
  if (text === undefined) return choices[0];
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new ProxyError('usage', `--${name} takes ${choices.join(', ')}, not "${text}"`);
}
