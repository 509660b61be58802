// `upstreamproxy job begin`: starts the process that serves the job, prints the environment, and leaves it behind.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

import { ProxyError } from '../../protocol/error.ts';
import { type ErrorCode, errorTable } from '../../protocol/error-table.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { processMark } from '../../agent/kernel/process-mark.ts';
import { readAgentOptions } from '../agent/agent-options.ts';
import { without } from '../agent/env.ts';
import { formatEnvironment } from '../agent/environment-format.ts';
import { jobDefinition, jobSessionDefinition } from '../commands/job-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { openPolicy } from '../policy/open-policy.ts';
import { ownProgram } from '../run/embedded-gateway.ts';
import { type Interruption, listenForInterruption } from '../run/interruption.ts';
import { isSingleFile } from '../terminal/argument-marks.ts';
import { logName, makeJobFolder, removeJobFolder } from './job-folder.ts';
import { keptWord, reportFd, tokenFd, type JobReport } from './job-report-line.ts';

type BeginInput = Input<(typeof jobDefinition)['actions'][0]>;
type Values = BeginInput['options'];
type Ready = Extract<JobReport, { readonly port: number }>;

export async function beginJob({ options: values }: BeginInput): Promise<number> {
  await checkValues(values);
  const state = resolve(values.state);
  await makeJobFolder(state);
  using interruption = listenForInterruption();
  let session: StartedSession | undefined;
  try {
    session = await startSession({ ...values, state });
    const ready = await session.ready(interruption);
    const text = formatEnvironment(without(ready.environment, values.without ?? []), values.format);
    await print(text);
    if (!values.quiet) process.stderr.write(note(ready, values));
    session.keep();
    return 0;
  } catch (error) {
    await session?.end();
    await removeJobFolder(state);
    if (interruption.by !== undefined) return 128 + constants.signals[interruption.by];
    throw error;
  }
}

/** What the process would say too, but not before it has started. */
async function checkValues(values: Values): Promise<void> {
  const { policy = [], config, observe, while: pid } = values;
  const { gatewayUrl } = await readAgentOptions({ ...values, 'on-failure': 'exit' }, process.env);
  if (gatewayUrl !== undefined && (policy.length > 0 || config !== undefined || observe))
    throw new ProxyError(
      'usage',
      '--policy, --config and --observe are for a gateway of its own; with --gateway the policy is there',
    );
  if (gatewayUrl === undefined && isSingleFile())
    throw new ProxyError('usage', 'this is the agent alone: name the gateway: --gateway URL');
  if (pid !== undefined && processMark(pid) === undefined)
    throw new ProxyError('usage', `--while ${pid}: there is no such process`);
  // It decides nothing yet, but what it would have decided is told at the end.
  if (observe && policy.length > 0) await openPolicy(policy, config);
}

function note({ port, form }: Ready, { observe, policy }: Values): string {
  const what = {
    files: 'the policy decides',
    observe:
      observe && policy !== undefined
        ? 'nothing public is refused, and the policy is tried'
        : 'nothing public is refused',
    none: 'every request will be refused, for no policy is named',
    gateway: 'the gateway decides',
  }[form];
  return `upstreamproxy: the session stands: ${what}. Relay on 127.0.0.1:${port}; it ends with \`job end\`\n`;
}

async function print(text: string): Promise<void> {
  const { promise, resolve: done, reject } = Promise.withResolvers<undefined>();
  process.stdout.removeAllListeners('error').once('error', (error) => {
    reject(new ProxyError('trust_unwritable', `the environment cannot be printed: ${error.message}`));
  });
  process.stdout.write(text, () => done(undefined));
  await promise;
}

interface StartedSession {
  /** Throws what it reports, cancelled, timeout. */
  ready(interruption: Pick<Interruption, 'signal'>): Promise<Ready>;
  /** It lasts from now on. */
  keep(): void;
  /** Waits for its end, for which it has no reason but that nobody keeps it. */
  end(): Promise<void>;
}

async function startSession(values: Values & { readonly state: string }): Promise<StartedSession> {
  const { state, 'token-fd': inheritedFd } = values;
  const program = ownProgram();
  const log = await open(join(state, logName), 'ax', 0o600);
  try {
    const args = program.args(['job-session', ...handedArguments(values)]);
    const child = spawn(program.file, args, {
      env: process.env,
      stdio: ['ignore', log.fd, log.fd, 'pipe', ...(inheritedFd === undefined ? [] : [inheritedFd])],
      // Neither Ctrl-C nor the end of this process's group is for it.
      detached: true,
    });
    const ended = once(child, 'exit').catch(() => undefined);
    return startedSession(child, ended, join(state, logName));
  } finally {
    await log.close();
  }
}

function startedSession(child: ChildProcess, ended: Promise<unknown>, logFile: string): StartedSession {
  // A pipe, as asked for above; none where the process was not started.
  const pipe = child.stdio[reportFd] as Duplex | null | undefined;
  pipe?.on('error', () => {});
  return {
    ready: async ({ signal }) => {
      if (pipe === null || pipe === undefined || child.pid === undefined)
        throw new ProxyError('gateway_unreachable', 'the process of the session cannot be started');
      const report = await readReport(pipe, signal);
      if (report === undefined) throw new ProxyError('internal', await lastWords(logFile));
      if ('error' in report) throw new ProxyError(knownCode(report.error.code), report.error.message);
      return report;
    },
    keep: () => {
      pipe?.end(keptWord);
      child.unref();
    },
    end: async () => {
      pipe?.destroy();
      const timer = setTimeout(() => child.kill('SIGKILL'), defaultLimits.jobEndTimeoutMs);
      if (child.pid !== undefined) await ended;
      clearTimeout(timer);
    },
  };
}

/** The options that the process takes too, with the token at the descriptor where it finds it. */
function handedArguments(values: Values & { readonly state: string }): readonly string[] {
  return Object.keys(jobSessionDefinition.options).flatMap((name) => {
    // Both definitions have the same options of these names.
    const value = values[name as keyof typeof jobSessionDefinition.options];
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    if (name === 'token-fd') return [`--${name}=${tokenFd}`];
    if (name === 'for') return [`--${name}=${Math.ceil(Number(value) / 1000)}s`];
    const all = Array.isArray(value) ? value : [value];
    const path = name === 'policy' || name === 'config';
    return all.map((one) => `--${name}=${path ? resolve(String(one)) : String(one)}`);
  });
}

async function readReport(pipe: Duplex, cancel: AbortSignal): Promise<JobReport | undefined> {
  const deadline = AbortSignal.timeout(defaultLimits.jobStartTimeoutMs);
  const lines = createInterface({ input: pipe });
  try {
    const line = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.any([cancel, deadline]) }).then(([text]) => String(text)),
      once(lines, 'close').then(() => undefined),
    ]);
    // Written by our own process: the type is what job-session.ts writes.
    return line === undefined ? undefined : (JSON.parse(line) as JobReport);
  } catch (error) {
    if (cancel.aborted) throw new ProxyError('cancelled', 'the start of the session was cancelled');
    if (!deadline.aborted) throw error;
    throw new ProxyError('timeout', `the session did not stand after ${defaultLimits.jobStartTimeoutMs} ms`);
  }
}

function knownCode(code: string): ErrorCode {
  // The check makes the key known.
  return Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'internal';
}

async function lastWords(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  return `the process of the session ended before it stood${last === '' ? '' : `: ${last.slice(0, 500)}`}`;
}
