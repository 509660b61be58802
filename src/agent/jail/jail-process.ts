// The agent's side of the jail: starts the helper, takes its report, and later makes it become the command.

import type { HelperProgram } from './jail-plan.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { watchDeath } from './death-watch.ts';
import { earlyPorts, type EntrancePorts, type Entrances } from '../capture/entrances.ts';
import {
  controlFd,
  controlLineBytesMax,
  type JailCommand,
  type JailListen,
  type JailMap,
  type JailPlan,
  type JailReport,
} from './jail-plan.ts';
import { EntranceReceiver } from './network-entrances.ts';
import { mapUsers, namespaceStart, ownNamespaces, refusesUserNamespace } from './network-namespace.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { isRefusal } from '../../system/kernel-fault.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

/** A helper that is inside the jail and waits. */
export interface Jail extends AsyncDisposable {
  readonly report: JailReport;
  /** Opens listeners inside, where `network` holds; undefined where it does not. Once, before `start`. */
  readonly listen: ((ports: EntrancePorts) => Promise<Entrances>) | undefined;
  /** The process that becomes the command: its pid, its end and its signals are the command's. */
  start(command: JailCommand): ChildProcess;
  /** Ends a helper that never became a command. Harmless afterwards. */
  close(): Promise<void>;
}

/** Entering takes a millisecond; the rest is for a loaded machine that starts a runtime. */
const enterTimeoutMs = 20_000;
/** One line of a tool, with room. */
const refusalBytesMax = 4_096;
/** Behind those of control and channel. */
const standardErrorFd = 5;

/**
 * Starts the helper with the standard streams of this process. Call it before `harden`: limits that the agent lowers
 * would bind the command too. Throws jail_refused if there is no helper to be had. Without a namespace that works, the
 * command stays in the network of the agent, and the report says why.
 */
export async function openJail(plan: JailPlan, program: HelperProgram): Promise<Jail> {
  if (!plan.layers.includes('network')) return await openHelper(plan, program);
  const start = namespaceStart(program);
  if ('reason' in start) return await openWithoutNetwork(plan, program, start.reason);
  let jail: Jail;
  try {
    const inside = { earlyPorts: earlyPorts(undefined), ...plan, outside: ownNamespaces() };
    jail = await openHelper({ ...inside, needsMap: start.needsMap ?? false }, start.program, start.startedBy);
  } catch (error) {
    if (!(error instanceof StarterRefused)) throw error;
    return await openWithoutNetwork(plan, program, error.message);
  }
  if (jail.report.isStranded !== true) return jail;
  await jail.close();
  const network = jail.report.layers.find(({ layer }) => layer === 'network');
  return await openWithoutNetwork(plan, program, network?.reason ?? 'refused');
}

/** The kernel refuses the namespace that the helper was to be started in. */
class StarterRefused extends Error {}

async function openWithoutNetwork(plan: JailPlan, program: HelperProgram, reason: string): Promise<Jail> {
  const layers = plan.layers.filter((layer) => layer !== 'network');
  const jail = await openHelper({ ...plan, layers }, program);
  return { ...jail, report: { layers: [{ layer: 'network', held: false, reason }, ...jail.report.layers] } };
}

/** With a starter, what it says on standard error is for us; the helper gets the command's own on another descriptor. */
function spawnHelper(program: HelperProgram, options: { channel: boolean; starter: boolean }): ChildProcess {
  const { channel, starter } = options;
  return spawn(program.file, [...program.args], {
    // The channel carries listeners, which a pipe cannot.
    stdio: [
      'inherit',
      'inherit',
      starter ? 'pipe' : 'inherit',
      'pipe',
      ...(channel ? (['ipc'] as const) : []),
      ...(starter ? [2] : []),
    ],
    // The command's environment comes later, as data: it must not steer our own program.
    env: starter ? { LC_ALL: 'C' } : {},
  });
}

async function openHelper(plan: JailPlan, program: HelperProgram, startedBy?: string): Promise<Jail> {
  const starter = startedBy !== undefined;
  const channel = plan.layers.includes('network');
  const child = spawnHelper(program, { channel, starter });
  const receiver = channel ? new EntranceReceiver(child) : undefined;
  try {
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))]);
    // The fourth entry of stdio is a socket pair, so it can be read and written.
    const control = child.stdio[controlFd] as Duplex;
    // A helper that ended is seen by its exit; what is written to it then is lost, and that is all.
    control.on('error', () => {});
    control.write(`${JSON.stringify(starter ? { ...plan, standardErrorFd } : plan)}\n`);
    const report = await (starter
      ? reportOrRefusal(child, control, { startedBy, needsMap: plan.needsMap })
      : readLine<JailReport>(control));
    if (report.fault !== undefined) throw new ProxyError('jail_refused', `a layer failed: ${report.fault}`);
    return jailOf({ child, control, report, receiver, plan });
  } catch (error) {
    child.kill('SIGKILL');
    receiver?.[Symbol.dispose]();
    if (error instanceof ProxyError || error instanceof StarterRefused) throw error;
    throw new ProxyError('jail_refused', `the helper of the jail cannot be started: ${String(error)}`, {
      cause: error,
    });
  }
}

/** The report, or what was said before there was one. */
async function reportOrRefusal(
  child: ChildProcess,
  control: Duplex,
  { startedBy, needsMap = false }: { readonly startedBy: string; readonly needsMap?: boolean | undefined },
): Promise<JailReport> {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < refusalBytesMax) text += chunk;
  });
  const closed = once(child, 'close');
  closed.catch(() => {});
  try {
    if (needsMap) {
      await readLine<JailMap>(control);
      giveUsers(child.pid ?? 0);
      control.write('{}\n');
    }
    const report = await readLine<JailReport>(control);
    child.stderr?.destroy();
    return report;
  } catch (error) {
    child.kill('SIGKILL');
    await closed;
    if (error instanceof StarterRefused) throw error;
    const [line = ''] = text.slice(0, refusalBytesMax).split('\n');
    const said = line === '' || line.startsWith(`${startedBy}:`) ? line : `${startedBy}: ${line}`;
    // What a tool says is for people. Whether the kernel refuses is asked of the kernel.
    if (isUserNamespaceRefused())
      throw new StarterRefused(said === '' ? 'the kernel refuses a user namespace' : said, { cause: error });
    if (said === '') throw error;
    throw new ProxyError('jail_refused', `the helper of the jail cannot be started: ${said}`, {
      cause: error,
    });
  }
}

/** Throws StarterRefused where the kernel refuses. */
function giveUsers(pid: number): void {
  try {
    mapUsers(pid);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw new StarterRefused(`no users in a namespace: ${String(error)}`, { cause: error });
  }
}

function isUserNamespaceRefused(): boolean {
  using calls = openSystemCalls();
  return refusesUserNamespace(calls, systemCallNumbers());
}

interface JailParts {
  readonly child: ChildProcess;
  readonly control: Duplex;
  readonly report: JailReport;
  /** Where the layer `network` was to be entered. */
  readonly receiver: EntranceReceiver | undefined;
  readonly plan: JailPlan;
}

function jailOf({ child, control, report, receiver, plan }: JailParts): Jail {
  let started = false;
  const hasNetwork = report.layers.some(({ layer, held }) => layer === 'network' && held);
  // From now on, and not behind the start of the command, which has no time to lose.
  const watch = hasNetwork ? watchDeath(child.pid) : undefined;
  const close = async (): Promise<void> => {
    watch?.[Symbol.dispose]();
    control.destroy();
    receiver?.[Symbol.dispose]();
    if (started || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const listen = async ({ relay, captured }: EntrancePorts): Promise<Entrances> => {
    if (receiver === undefined) throw new ProxyError('jail_refused', 'the jail has no network');
    const { earlyPorts: opened = [], hasAllPorts = false } = plan;
    const later = hasAllPorts ? [] : captured.filter((port) => !opened.includes(port));
    const request: JailListen = { listen: { relay, captured: later } };
    control.write(`${JSON.stringify(request)}\n`);
    return { ...(await receiver.entrances()), hasAllPorts };
  };
  return {
    report,
    listen: hasNetwork ? listen : undefined,
    start(command) {
      started = true;
      receiver?.[Symbol.dispose]();
      control.end(`${JSON.stringify(command)}\n`);
      return child;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The next line from the helper. */
async function readLine<T>(control: Duplex): Promise<T> {
  const signal = AbortSignal.timeout(enterTimeoutMs);
  let text = '';
  control.setEncoding('utf8');
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onData = (chunk: string): void => {
    text += chunk;
    if (text.length > controlLineBytesMax)
      reject(new ProxyError('jail_refused', 'the helper talks too much'));
    // Written by our own program: the type is what jail-helper.ts writes.
    else if (text.endsWith('\n')) resolve(JSON.parse(text) as T);
  };
  const onClose = (): void => {
    reject(new ProxyError('jail_refused', 'the helper of the jail ended before it said what holds'));
  };
  const onTimeout = (): void => {
    reject(new ProxyError('jail_refused', `the helper of the jail was not ready after ${enterTimeoutMs} ms`));
  };
  control.on('data', onData);
  control.once('close', onClose);
  signal.addEventListener('abort', onTimeout);
  try {
    return await promise;
  } finally {
    control.off('data', onData);
    control.off('close', onClose);
    signal.removeEventListener('abort', onTimeout);
  }
}
