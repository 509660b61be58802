// Runs a client for the doctor: its version, and the request that proves it. Without effects, and never for longer than a deadline.

import { defaultLimits } from '../../protocol/limits.ts';
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { ClientProof, ClientRow } from './client-row.ts';
import { gatewayHost } from './gateway-contact.ts';

export interface Proved {
  readonly passed: boolean;
  /** For a person to repeat it. */
  readonly command: string;
  readonly durationMs: number;
  /** What the client said at last, where it did not pass. */
  readonly said?: string;
}

export interface ProofOptions {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly word: string;
  readonly timeoutMs: number;
}

/** Where a command is on PATH. One with a slash is a path itself. */
export function findCommand(name: string, path: string | undefined): string | undefined {
  const places = name.includes('/')
    ? [name]
    : (path ?? '').split(delimiter).map((folder) => join(folder, name));
  return places.find((place) => (place !== name || name.includes('/') ? isExecutable(place) : false));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The first number with a dot in what the command prints, in the line with one of its names if there is one; undefined
 * if it fails.
 */
export async function readVersion(
  { id, commands, version: args }: Pick<ClientRow, 'id' | 'commands' | 'version'>,
  command: string,
  environment: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<{ readonly version: string | undefined } | undefined> {
  if (args.length === 0) return { version: undefined };
  const { output, code } = await runQuietly({ command, args, environment, cwd: tmpdir(), timeoutMs });
  if (code !== 0) return undefined;
  // Java says which options it took, with the relay's address in them.
  const lines = output.split('\n').filter((line) => !line.startsWith('Picked up ') && /\d\.\d/.test(line));
  const named = lines.find((line) => [id, ...commands].some((name) => line.toLowerCase().includes(name)));
  return { version: /\d+(?:\.\d+)+[\w.-]*/.exec(named ?? lines[0] ?? '')?.[0] };
}

/** Makes the request in an empty folder, which is removed again. */
export async function proveClient(proof: ClientProof, options: ProofOptions): Promise<Proved> {
  const { word, timeoutMs } = options;
  const temporary = await mkdtemp(join(tmpdir(), 'upstreamproxy-doctor-'));
  try {
    const fill = (text: string): string => filled(text, word, temporary);
    for (const [name, text] of Object.entries(proof.files ?? {}))
      await writeFile(join(temporary, name), fill(text));
    const own = Object.entries(proof.env ?? {}).map(([name, value]) => [name, fill(value)]);
    const environment = {
      ...options.environment,
      // What clients keep for the next time is not for the next time here.
      XDG_CACHE_HOME: temporary,
      TMPDIR: temporary,
      ...Object.fromEntries(own),
    };
    const command = proof.command ?? options.command;
    const args = proof.args.map(fill);
    const startedMs = performance.now();
    const { output } = await runQuietly({ command, args, environment, cwd: temporary, timeoutMs });
    const durationMs = Math.round(performance.now() - startedMs);
    const file = proof.output === undefined ? '' : await readOutput(join(temporary, proof.output));
    const passed = isProof(`${output}${file}`, proof, word);
    const repeat = [command, ...args].map(quoted).join(' ').replaceAll(temporary, '/tmp');
    return { passed, command: repeat, durationMs, ...(passed ? {} : { said: lastWords(output) }) };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Clients may escape what they show of JSON, and put it on one line. */
function isProof(output: string, { expect }: ClientProof, word: string): boolean {
  if (expect !== undefined) return [expect].flat().every((text) => output.includes(filled(text, word, '')));
  return new RegExp(`\\\\?"doctor\\\\?"\\s*:\\s*\\\\?"${word}\\\\?"`).test(output);
}

function filled(text: string, word: string, temporary: string): string {
  const base = `https://${gatewayHost}`;
  return text
    .replaceAll('@url@', `${base}/doctor/${word}`)
    .replaceAll('@status@', `${base}/doctor/status/${word}`)
    .replaceAll('@base@', base)
    .replaceAll('@word@', word)
    .replaceAll('@temporary@', temporary);
}

async function readOutput(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).slice(0, defaultLimits.doctorOutputBytesMax);
  } catch {
    // The client made none, which the proof shows.
    return '';
  }
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

function lastWords(output: string): string {
  // Ruby prints where it was as well, at the end.
  const lines = output.split(/[\r\n]+/).filter((line) => line.trim() !== '' && !/:\d+:in [`']/.test(line));
  const telling = lines.findLast((line) =>
    /error|fail|certificate|refused|resolve|418|\b4\d\d\b|\b5\d\d\b/i.test(line),
  );
  return (telling ?? lines.at(-1) ?? 'it said nothing').trim().slice(0, 300);
}

interface QuietRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
}

/** Both streams together. What the client started ends with it: it has a process group of its own. */
async function runQuietly(run: QuietRun): Promise<{ readonly output: string; readonly code: number | null }> {
  const child = spawn(run.command, run.args, {
    cwd: run.cwd,
    env: run.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const take = (chunk: Buffer): void => {
    if (output.length < defaultLimits.doctorOutputBytesMax) output += chunk.toString('utf8');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const { promise, resolve } = Promise.withResolvers<number | null>();
  let grace: NodeJS.Timeout | undefined;
  child.once('error', ({ message }) => {
    output += message;
    resolve(null);
  });
  child.once('exit', (code) => {
    // A server that it left behind, as build tools do, would hold the pipes.
    endGroup(child.pid);
    grace = setTimeout(resolve, defaultLimits.doctorCloseGraceMs, code);
    child.once('close', () => resolve(code));
  });
  const timer = setTimeout(() => {
    output += `\nno end in ${run.timeoutMs} ms`;
    endGroup(child.pid);
    resolve(null);
  }, run.timeoutMs);
  try {
    return { code: await promise, output };
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
