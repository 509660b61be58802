// The command that `run` runs: its terminal, its signals and its exit code are its own.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

import { followStops, sharesForeground } from '../../agent/jail/job-control.ts';
import type { LateCover } from '../../agent/jail/jail-plan.ts';
import type { Jail } from '../../agent/jail/jail-process.ts';
import { NamespaceInit } from '../../agent/jail/namespace-init.ts';
import type { RunningCommand } from '../../agent/jail/jailed-process.ts';
import { adoptOrphans } from '../../agent/jail/orphans.ts';

import type { Environment } from '../terminal/workload-environment.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

export type WorkloadEnd = { readonly code: number } | { readonly signal: NodeJS.Signals };

// The terminal sends these to the whole foreground process group, so the command has them already.
const sentByTerminal: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH']);
const forwarded: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
];

/** As shells have it: 127 for a program that is not there, 126 for one that cannot be executed. */
function startFault(command: string, error: NodeJS.ErrnoException): WorkloadEnd {
  const missing = error.code === 'ENOENT';
  const nowhere = command.includes('/') ? 'there is no such program' : 'there is no such program on PATH';
  const reason = missing ? nowhere : faultReason(error);
  process.stderr.write(`upstreamproxy: cannot start ${command}: ${reason} [usage]\n`);
  return { code: missing ? 127 : 126 };
}

interface SignalPassing extends Disposable {
  to(child: RunningCommand): void;
}

/** Listens before the command is started: a signal of that moment waits for it, or it would end us and not the command. */
function passSignals(): SignalPassing {
  let target: RunningCommand | undefined;
  const waiting = new Set<NodeJS.Signals>();
  const pass = (signal: NodeJS.Signals): void => {
    if (target === undefined) waiting.add(signal);
    else if (!(sentByTerminal.has(signal) && sharesForeground(target.pid))) target.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, pass);
  return {
    to: (child) => {
      target = child;
      for (const signal of waiting) pass(signal);
    },
    [Symbol.dispose]: () => {
      for (const signal of forwarded) process.off(signal, pass);
    },
  };
}

export interface WorkloadOptions {
  readonly covers?: readonly LateCover[] | undefined;
  /** Called when the command has ended, before what it leaves behind is. */
  readonly onEnd?: () => void;
}

/**
 * Runs `command` with the standard streams of this process, in the jail if there is one, and waits for its end. Signals
 * that this process gets go to the command. One that cannot be started is said on stderr and ends with 127 or 126.
 * What the command leaves behind in the jail is ended too.
 */
export async function runWorkload(
  command: readonly [string, ...string[]],
  environment: Environment,
  jail?: Jail,
  { covers = [], onEnd }: WorkloadOptions = {},
): Promise<WorkloadEnd> {
  const [file, ...args] = command;
  // Opening them makes pipes non-blocking, which the helper undoes before the command starts; so they are opened by now.
  void [process.stdout, process.stderr];
  await using stack = new AsyncDisposableStack();
  // To the end of what the command leaves behind: until then none of them may end this process.
  const signals = stack.use(passSignals());
  // Of a namespace the kernel waits for what is left; of a control group it is found by it, and waited for here.
  if (jail !== undefined && !(jail.leftovers instanceof NamespaceInit)) stack.use(adoptOrphans());
  if (jail?.leftovers !== undefined) stack.use(jail.leftovers);
  const child: RunningCommand =
    jail === undefined
      ? spawn(file, args, { stdio: 'inherit', env: environment })
      : jail.start({ file, args, environment, covers });
  stack.use(followStops(child));
  signals.to(child);
  return await new Promise<WorkloadEnd>((resolve) => {
    child.once('error', (error) => resolve(startFault(file, error)));
    child.once('exit', (code, signal) => {
      onEnd?.();
      // One of the two is set (child_process documentation).
      resolve(signal === null ? { code: code ?? 1 } : { signal });
    });
  });
}

/** Ends this process as the command ended: gives the same code, or sends itself the same signal. */
export function exitAs(end: WorkloadEnd): number {
  if ('code' in end) return end.code;
  process.kill(process.pid, end.signal);
  // Reached where the signal is ignored or handled late: what a shell would report.
  return 128 + constants.signals[end.signal];
}
