// What every form of the program does: picks the command, prints errors as one line, ends with the code of the error table.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Definition } from '../definition/command-definition.ts';
import type { ProgramName } from '../definition/render-help.ts';
import { typedArguments } from './argument-marks.ts';
import { causesOf } from './causes.ts';
import type { Command } from './command.ts';
import { errorLink } from './document-link.ts';
import { note } from './notes.ts';
import { painted, standardErrors, type TerminalStream } from './terminal-stream.ts';
import { harmlessText } from './text-table.ts';
import { packageVersion } from '../../system/package-version.ts';

/** Commands by name. Each is loaded when it is used, which its own arguments can hasten. */
export type CommandTable = ReadonlyMap<string, (args?: readonly string[]) => Promise<Command>>;

export interface Program {
  readonly name: ProgramName;
  readonly commands: CommandTable;
  /** What `help` shows, and mistyped names are compared with; loaded for these alone. */
  readonly definitions: () => Promise<readonly Definition[]>;
}

/** Runs the command that the arguments name, and ends the process. */
export async function runProgram(program: Program): Promise<never> {
  // `audit tail | head` closes our output: that is an end, not a fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74));

  // Before a command protects this process, which changes its environment.
  const errors = standardErrors();
  const args = typedArguments(process.argv.slice(2));
  const isVerbose = ownWords(args).includes('--verbose');
  const sayTime = (): void => {
    if (isVerbose) note(`it took ${(performance.now() / 1000).toFixed(2)} s`);
  };
  try {
    const code = await main(program, args);
    await outputTaken();
    sayTime();
    process.exit(code);
  } catch (thrown) {
    const error = asProxyError(thrown);
    process.stderr.write(errorText(error, errors));
    if (isVerbose) await explain(error);
    // A fault of our own is worth its stack, where somebody asks for it.
    if (error.code === 'internal' && process.env['UPSTREAMPROXY_DEBUG'] !== undefined) console.error(thrown);
    sayTime();
    process.exit(error.exitCode);
  }
}

/** What stands behind `--` belongs to the workload. */
function ownWords(args: readonly string[]): readonly string[] {
  return args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
}

/** For `--verbose`. */
async function explain(error: ProxyError): Promise<void> {
  const { errorAdvice } = await import('../../protocol/error-advice.ts');
  const causes = causesOf(error);
  if (causes.length > 0) note(`it was caused by ${causes.join(', ')}`);
  note(`what to do: ${errorAdvice[error.code]}`);
}

/** A pipe takes 64 KiB at once, and what waits when the process exits is lost. A reader that goes away ends the wait: see above. */
async function outputTaken(): Promise<void> {
  if (process.stdout.writableLength === 0) return;
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => resolve());
  });
}

async function main(program: Program, args: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === 'version' || name === '--version' || name === '-v') {
    process.stdout.write(`upstreamproxy ${packageVersion()} (${runtimeName()})\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') return await printHelp(program, rest);
  const load = program.commands.get(name);
  if (load === undefined) throw await unknownCommand(program, name);
  const own = ownWords(rest);
  // A gateway need not be loaded to say what its options are.
  if (own.includes('--help') || own.includes('-h')) return await printHelp(program, [name, ...own]);
  const command = await load(own);
  return await command.run(rest);
}

async function unknownCommand({ name: program, definitions }: Program, name: string): Promise<ProxyError> {
  const { suggestion } = await import('../../protocol/nearest-name.ts');
  const { quoted } = await import('../definition/option-value.ts');
  const known = (await definitions()).filter(({ hidden }) => hidden !== true).map((one) => one.name);
  const hint = suggestion(name, [...known, 'help', 'version']);
  return new ProxyError('usage', `there is no command ${quoted(name)}${hint}; see: ${program} help`);
}

/** About a command, and of a group about the action that is named too. */
async function printHelp(program: Program, [name, ...more]: readonly string[]): Promise<number> {
  const { renderHelp, renderOverview } = await import('../definition/render-help.ts');
  const shown = { name: program.name, definitions: await program.definitions() };
  const definition = shown.definitions.find((one) => one.name === name);
  if (name !== undefined && definition === undefined) throw await unknownCommand(program, name);
  const text = definition === undefined ? renderOverview(shown) : renderHelp(shown, definition, more);
  process.stdout.write(text);
  return 0;
}

function runtimeName(): string {
  const bun = process.versions['bun'];
  return bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
}

/** One line an error; a configuration with several faults has a line for each. */
export function errorText({ code, message }: ProxyError, stream: TerminalStream): string {
  const lines = message.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  // Elsewhere a line break comes from a file name or a peer, and must not fake a second message.
  const messages = code === 'config_invalid' ? lines : [lines.map((line) => line.trim()).join('; ')];
  const begin = painted(stream, 'bad', 'upstreamproxy:');
  const end = errorLink(stream, code, painted(stream, 'faint', `[${code}]`));
  return messages.map((text) => `${begin} ${harmlessText(text)} ${end}\n`).join('');
}
