// Starts the gateway that `run` uses when none is named: a process of its own with a private state folder.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { SecretSources } from '../gateway/gateway-protection.ts';
import type { HomeCredential } from '../../protocol/home-credential.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable, type ErrorCode } from '../../protocol/error-table.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { markArguments } from '../terminal/argument-marks.ts';
import { StartWatch } from './start-watch.ts';

/** The descriptor on which the gateway tells that it is ready, and whose end tells it that we are gone. */
export const readyFd = 3;

/** `none`: a configuration without one, so that everything is refused. */
export type PolicyForm = 'files' | 'observe' | 'none';

/** What the gateway writes on `readyFd`: one line of JSON. */
export type EmbeddedReport =
  | {
      readonly url: string;
      readonly caPem: string;
      readonly tokenFile: string;
      readonly auditFile: string;
      readonly sources: SecretSources;
      readonly policy: PolicyForm;
      /** The link by which somebody logs in to the console, once; where there is one. */
      readonly consoleLink?: string;
    }
  | { readonly error: { readonly code: string; readonly message: string } };

export interface EmbeddedGateway extends AsyncDisposable {
  readonly url: string;
  readonly caPem: string;
  readonly tokenFile: string;
  readonly auditFile: string;
  /** Where its configuration says that secrets are. */
  readonly sources: SecretSources;
  readonly policy: PolicyForm;
  readonly consoleLink?: string;
  /** Resolves when the process ended, asked or not. */
  readonly ended: Promise<void>;
  /** Ends the process. The audit is complete afterwards, unless it takes longer: then it is killed, with what it had not written. */
  close(withinMs?: number): Promise<void>;
}

/** Starts it in `stateDirectory`; `args` are options of `gateway`. Throws what the gateway reports, cancelled, timeout. */
export async function startEmbeddedGateway(options: {
  readonly stateDirectory: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Secrets of the caller's home, and what may be done with them. */
  readonly homes?:
    | { readonly credentials: readonly HomeCredential[]; readonly use: 'read' | 'write' }
    | undefined;
  readonly signal?: AbortSignal;
}): Promise<EmbeddedGateway> {
  const { stateDirectory, signal, homes } = options;
  const args = homes === undefined ? options.args : [...options.args, '--home-credentials', homes.use];
  const program = ownProgram();
  const { UPSTREAMPROXY_RUNTIME: _runtime, ...environment } = options.environment;
  const log = await open(join(stateDirectory, 'gateway.log'), 'ax', 0o600);
  let child: ChildProcess;
  let ended: Promise<void>;
  let fault: Error | undefined;
  try {
    child = spawn(program.file, program.args(['embedded-gateway', '--state', stateDirectory, ...args]), {
      env: environment,
      stdio: [homes === undefined ? 'ignore' : 'pipe', log.fd, log.fd, 'pipe'],
      // A group of its own: the terminal's Ctrl-C is for the command, and the gateway must outlive it.
      detached: true,
    });
    // Before anything is waited for: one that cannot be started says so at once.
    ended = once(child, 'exit').then(
      () => undefined,
      (error: Error) => void (fault = error),
    );
  } finally {
    await log.close();
  }
  // Neither in its arguments nor in its environment. One that ends early does not read it, and says so itself.
  child.stdin?.on('error', () => {}).end(JSON.stringify(homes?.credentials));
  try {
    // The fourth entry of stdio is a pipe, so it is there and readable; none is where the process was not started.
    const ready = child.pid === undefined ? undefined : (child.stdio[readyFd] as Readable);
    if (ready === undefined) {
      await ended;
      throw new ProxyError(
        'gateway_unreachable',
        `the embedded gateway cannot be started: ${fault?.message ?? 'no process'}`,
        { cause: fault },
      );
    }
    using watch = new StartWatch(child.pid);
    const report = await readReport(ready, { stateDirectory, watch, cancel: signal });
    if ('error' in report) throw new ProxyError(knownCode(report.error.code), report.error.message);
    const close = (withinMs?: number): Promise<void> => stop(child, ended, withinMs);
    return { ...report, ended, close, [Symbol.asyncDispose]: () => close() };
  } catch (error) {
    await stop(child, ended);
    throw error;
  }
}

interface Program {
  readonly file: string;
  readonly args: (own: readonly string[]) => readonly string[];
}

/**
 * By the launcher: always Node, whatever this process runs under, and with an environment of its own making. It takes its time,
 * so where it has started this process by Node it is not asked again: environment and runtime are those that it chose.
 */
export function ownProgram(): Program {
  const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
  if (process.argv[1] === main && process.versions['bun'] === undefined)
    return { file: process.execPath, args: (own) => [...process.execArgv, main, ...markArguments(own)] };
  const launcher = fileURLToPath(new URL('../../../bin/upstreamproxy', import.meta.url));
  return { file: launcher, args: (own) => own };
}

function knownCode(code: string): ErrorCode {
  // The check makes the key known.
  return Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'internal';
}

async function readReport(
  pipe: Readable,
  {
    stateDirectory,
    watch,
    cancel,
  }: {
    readonly stateDirectory: string;
    readonly watch: StartWatch;
    readonly cancel: AbortSignal | undefined;
  },
): Promise<EmbeddedReport> {
  const lines = createInterface({ input: pipe });
  const signal = cancel === undefined ? watch.signal : AbortSignal.any([cancel, watch.signal]);
  try {
    const first = await Promise.race([
      once(lines, 'line', { signal }).then(([line]) => String(line)),
      once(lines, 'close').then(() => undefined),
    ]);
    // Written by our own process: the type is what embedded-gateway-process.ts writes.
    if (first !== undefined) return JSON.parse(first) as EmbeddedReport;
  } catch (error) {
    if (cancel?.aborted === true) throw new ProxyError('cancelled', 'the start of the gateway was cancelled');
    if (!watch.signal.aborted) throw error;
    throw new ProxyError(
      'timeout',
      `the embedded gateway was not ready ${watch.reason}; see ${stateDirectory}/gateway.log`,
    );
  }
  throw new ProxyError(
    'gateway_unreachable',
    `the embedded gateway ended at once; see ${stateDirectory}/gateway.log`,
  );
}

async function stop(
  child: ChildProcess,
  ended: Promise<void>,
  withinMs: number = defaultLimits.embeddedStopTimeoutMs,
): Promise<void> {
  const running = (): boolean =>
    child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  if (!running()) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  await ended;
  clearTimeout(timer);
  child.stdio[readyFd]?.destroy();
}
