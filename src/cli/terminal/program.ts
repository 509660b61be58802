// What every form of the program does: picks the command, prints errors as one line, ends with the code of the error table.

import { harmlessText } from './text-table.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { typedArguments } from './argument-marks.ts';
import type { Command } from './command.ts';
import { packageVersion } from './version.ts';

/** Commands by name. Each is loaded when it is used. */
export type CommandTable = ReadonlyMap<string, () => Promise<Command>>;

export interface Program {
  readonly commands: CommandTable;
  /** Printed by `help`. */
  readonly overview: string;
}

/** Runs the command that the arguments name, and ends the process. */
export async function runProgram(program: Program): Promise<never> {
  // `audit tail | head` closes our output: that is an end, not a fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74));

  try {
    const code = await main(program, typedArguments(process.argv.slice(2)));
    await outputTaken();
    process.exit(code);
  } catch (thrown) {
    const error = asProxyError(thrown);
    process.stderr.write(errorText(error));
    // A fault of our own is worth its stack, where somebody asks for it.
    if (error.code === 'internal' && process.env['UPSTREAMPROXY_DEBUG'] !== undefined) console.error(thrown);
    process.exit(error.exitCode);
  }
}

/** A pipe takes 64 KiB at once, and what waits when the process exits is lost. A reader that goes away ends the wait: see above. */
async function outputTaken(): Promise<void> {
  if (process.stdout.writableLength === 0) return;
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => resolve());
  });
}

async function main({ commands, overview }: Program, args: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === 'version' || name === '--version' || name === '-v') {
    process.stdout.write(`upstreamproxy ${packageVersion()} (${runtimeName()})\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h')
    return await printHelp({ commands, overview }, rest[0]);
  const load = commands.get(name);
  if (load === undefined)
    throw new ProxyError('usage', `there is no command "${name}"; see: upstreamproxy help`);
  const command = await load();
  // What stands behind `--` belongs to the workload.
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (own.includes('--help') || own.includes('-h')) return await printHelp({ commands, overview }, name);
  return await command.run(rest);
}

async function printHelp({ commands, overview }: Program, name: string | undefined): Promise<number> {
  const load = name === undefined ? undefined : commands.get(name);
  if (name !== undefined && load === undefined) {
    throw new ProxyError('usage', `there is no command "${name}"; see: upstreamproxy help`);
  }
  process.stdout.write(load === undefined ? overview : (await load()).usage);
  return 0;
}

function runtimeName(): string {
  const bun = process.versions['bun'];
  return bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
}

/** One line an error; a configuration with several faults has a line for each. */
function errorText({ code, message }: ProxyError): string {
  const lines = message.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  // Elsewhere a line break comes from a file name or a peer, and must not fake a second message.
  const messages = code === 'config_invalid' ? lines : [lines.map((line) => line.trim()).join('; ')];
  return messages.map((text) => `upstreamproxy: ${harmlessText(text)} [${code}]\n`).join('');
}
