// One `run` whose command carries out tasks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { NetworkNamespace } from '../support/network-namespace.ts';
import { launcher } from '../support/program.ts';
import { isPlain, type Mode } from './check.ts';
import type { TaskResult } from './inside.ts';
import { asOrdinaryUser, ordinaryUser } from './ordinary-user.ts';
import { withPrivateEtc } from './private-etc.ts';

export interface SessionKind {
  readonly mode: Mode;
  /** Without it, names of origins mean nothing outside either, but other networks can be reached. */
  readonly namespace?: NetworkNamespace;
  readonly homeFiles: boolean;
  readonly systemStore: boolean;
  /** Why nothing can be run in this mode. */
  readonly obstacle?: string;
}

export interface SessionTasks {
  readonly kind: SessionKind;
  /** How `run` reaches the gateway. */
  readonly agentOptions: readonly string[];
  /** HOME of the session. */
  readonly home: string;
  readonly listFile: string;
  /** Where the command finds the tools, and where they are outside. */
  readonly tools: string;
  readonly ownTools: string;
  readonly onResult: (result: TaskResult) => void;
  readonly signal?: AbortSignal;
}

const inside = fileURLToPath(new URL('inside.ts', import.meta.url));

/** Runs them. Gives what `run` said if it did not end well, else undefined. */
export async function runSession(session: SessionTasks): Promise<string | undefined> {
  const { kind, home, tools } = session;
  const options = [...session.agentOptions, ...trustOptions(kind), ...modeOptions(kind)];
  const command = ['--', process.execPath, inside, session.listFile];
  const run = [launcher, 'run', ...options, ...command];
  const layer = join(home, '..', 'etc');
  await mkdir(layer, { recursive: true });
  const line =
    kind.mode === 'user' ? asOrdinaryUser(session, run) : kind.systemStore ? withPrivateEtc(layer, run) : run;
  const [file = '', ...args] =
    kind.namespace !== undefined && kind.mode === 'environment' ? kind.namespace.enter(line) : line;
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  const child = spawn(file, args, {
    cwd: home,
    // Nothing of the user's own settings.
    env: {
      PATH: `${tools}/bin:${tools}/node_modules/.bin:${kind.mode === 'user' ? ordinaryUser.path(path) : path}`,
      HOME: home,
      LANG: 'C.UTF-8',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(session.signal === undefined ? {} : { signal: session.signal }),
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  // Printed by inside.ts, an object a line.
  createInterface({ input: child.stdout }).on('line', (text) =>
    session.onResult(JSON.parse(text) as TaskResult),
  );
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0 ? undefined : `run ended with ${code}: ${Buffer.concat(said).toString().slice(-2000)}`;
}

function trustOptions({ homeFiles, systemStore }: SessionKind): readonly string[] {
  return [...(homeFiles ? ['--home-files'] : []), ...(systemStore ? ['--system-store'] : [])];
}

function modeOptions({ mode }: SessionKind): readonly string[] {
  if (isPlain(mode)) return [];
  // By the environment alone the container is the isolation, as where the agent runs beside the workload.
  return mode === 'capture' ? ['--isolate=require', '--capture-only'] : ['--isolate=off'];
}
