// The agent's side of the jail: starts the helper, takes its report, and later makes it become the command.

import type { HelperProgram } from './jail-plan.ts';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { CommandGroup } from './command-group.ts';
import { type HelperAhead, spawnHelper } from './helper-process.ts';
import { watchDeath } from './death-watch.ts';
import { earlyPorts, type EntrancePorts, type Entrances } from '../capture/entrances.ts';
import {
  controlFd,
  type JailCommand,
  type JailLayer,
  type JailListen,
  type JailMap,
  type JailPlan,
  type JailReport,
  type JailStarted,
  type LayerReport,
  initFd,
  namespaceLayers,
} from './jail-plan.ts';
import { JailedProcess, type RunningCommand } from './jailed-process.ts';
import { NamespaceInit } from './namespace-init.ts';
import { EntranceReceiver } from './network-entrances.ts';
import { adoptGrandchildren } from './orphans.ts';
import { mapAllUsers, namespaceStart, refusesUserNamespace } from './network-namespace.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { isRefusal } from '../../system/kernel-fault.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

/** A helper that is inside the jail and waits. */
export interface Jail extends AsyncDisposable {
  readonly report: JailReport;
  /** Opens listeners inside, where `network` holds; undefined where it does not. Once, before `start`. */
  readonly listen: ((ports: EntrancePorts) => Promise<Entrances>) | undefined;
  /** Ends what the command leaves behind: its namespace of processes, or its control group; without either it has to be looked for. */
  readonly leftovers: NamespaceInit | CommandGroup | undefined;
  /** The process that is the command, or will be in a moment. */
  start(command: JailCommand): RunningCommand;
  /** Ends a helper that never became a command. Harmless afterwards. */
  close(): Promise<void>;
}

/** A helper that closed its end has nothing left to do. */
const lateMs = 1_000;

/**
 * Starts the helper with the standard streams of this process. Call it before `harden`: limits that the agent lowers
 * would bind the command too. Throws jail_refused if there is no helper to be had. Where namespaces are refused, the
 * command stays in those of the agent, and the report says why. `ahead` is taken where it was started just as the first helper is to be.
 */
export async function openJail(plan: JailPlan, program: HelperProgram, ahead?: HelperAhead): Promise<Jail> {
  const refused: LayerReport[] = refusedByRuntime(plan.layers);
  let layers = plan.layers.filter((layer) => !refused.some((report) => report.layer === layer));
  for (;;) {
    const opened = await openWith({ ...plan, layers }, program, ahead);
    if ('child' in opened) {
      const jail = jailOf(opened);
      return { ...jail, report: { ...jail.report, layers: [...refused, ...jail.report.layers] } };
    }
    refused.push(...opened.refused);
    // Each round has fewer.
    const without = new Set(opened.refused.map(({ layer }) => layer));
    layers = layers.filter((layer) => !without.has(layer));
  }
}

/** What no kernel refuses, and cannot be had all the same. */
function refusedByRuntime(layers: readonly JailLayer[]): LayerReport[] {
  if (process.versions['bun'] === undefined || !layers.includes('network')) return [];
  // It sends no listening socket over a channel between processes.
  return [{ layer: 'network', held: false, reason: 'Bun cannot take over the listeners inside' }];
}

interface Refused {
  readonly refused: readonly LayerReport[];
}

/** A helper that is inside, or the namespaces that cannot be had. */
async function openWith(
  plan: JailPlan,
  program: HelperProgram,
  ahead: HelperAhead | undefined,
): Promise<JailParts | Refused> {
  const wanted = plan.layers.filter((layer) => namespaceLayers.has(layer));
  if (wanted.length === 0) return await openHelper(plan, { program }, ahead);
  const all = (reason: string): Refused => ({
    refused: wanted.map((layer) => ({ layer, held: false, reason })),
  });
  const start = namespaceStart(program);
  if ('reason' in start) return all(start.reason);
  const inside = {
    earlyPorts: earlyPorts(undefined),
    ...plan,
    needsMap: start.needsMap ?? false,
    inUserNamespace: start.startedBy !== undefined,
  };
  let parts: JailParts;
  try {
    parts = await openHelper(inside, start, ahead);
  } catch (error) {
    if (!(error instanceof StarterRefused)) throw error;
    return all(error.message);
  }
  if (parts.report.isStranded !== true) return parts;
  await jailOf(parts).close();
  return { refused: parts.report.layers.filter(({ layer, held }) => namespaceLayers.has(layer) && !held) };
}

/** The kernel refuses the namespace that the helper was to be started in. */
class StarterRefused extends Error {}

async function openHelper(
  plan: JailPlan,
  { program, startedBy }: { readonly program: HelperProgram; readonly startedBy?: string },
  ahead: HelperAhead | undefined,
): Promise<JailParts> {
  const starter = startedBy !== undefined;
  const channel = plan.layers.includes('network');
  if (plan.layers.includes('processes')) adoptGrandchildren();
  const start = { program, layers: plan.layers, hasStarter: starter };
  const child = ahead?.take(start) ?? spawnHelper(start);
  const receiver = channel ? new EntranceReceiver(child) : undefined;
  try {
    // Where it has no process there is only the error to come.
    if (child.pid === undefined) throw (await once(child, 'error'))[0];
    const control = streamOf(child, controlFd);
    // A helper that ended is seen by its exit; what is written to it then is lost, and that is all.
    control.on('error', () => {});
    control.write(`${JSON.stringify({ ...plan, hasOwnStandardError: starter })}\n`);
    const report = await (starter
      ? reportOrRefusal(child, control, { startedBy, needsMap: plan.needsMap, program })
      : readLine<JailReport>(control, program.enterTimeoutMs));
    if (report.fault !== undefined) throw new ProxyError('jail_refused', `a layer failed: ${report.fault}`);
    return { child, control, report, receiver, plan };
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
  {
    startedBy,
    needsMap = false,
    program: { enterTimeoutMs },
  }: {
    readonly startedBy: string;
    readonly needsMap?: boolean | undefined;
    readonly program: HelperProgram;
  },
): Promise<JailReport> {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < defaultLimits.jailRefusalCharactersMax) text += chunk;
  });
  const closed = once(child, 'close');
  closed.catch(() => {});
  try {
    if (needsMap) {
      await readLine<JailMap>(control, enterTimeoutMs);
      giveUsers(child.pid ?? 0);
      control.write('{}\n');
    }
    const report = await readLine<JailReport>(control, enterTimeoutMs);
    child.stderr?.destroy();
    return report;
  } catch (error) {
    child.kill('SIGKILL');
    await closed;
    if (error instanceof StarterRefused) throw error;
    const [line = ''] = text.slice(0, defaultLimits.jailRefusalCharactersMax).split('\n');
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
    mapAllUsers(pid);
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

function jailOf(parts: JailParts): Jail {
  const { child, control, report, receiver } = parts;
  let started = false;
  const hasNetwork = report.layers.some(({ layer, held }) => layer === 'network' && held);
  const init =
    report.init === undefined ? undefined : new NamespaceInit(report.init, streamOf(child, initFd));
  const group = init === undefined ? CommandGroup.open(child.pid) : undefined;
  const network = hasNetwork ? report.measures?.network : undefined;
  // From now on, and not behind the start of the command, which has no time to lose.
  const watch = init === undefined ? watchDeath({ network, group: group?.path }) : undefined;
  const close = async (): Promise<void> => {
    watch?.[Symbol.dispose]();
    control.destroy();
    receiver?.[Symbol.dispose]();
    if (!started && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await init?.end();
    await group?.end();
  };
  return {
    report,
    listen: hasNetwork ? (ports) => openEntrances(parts, ports) : undefined,
    leftovers: init ?? group,
    start(command) {
      started = true;
      receiver?.[Symbol.dispose]();
      const line = `${JSON.stringify(command)}\n`;
      if (init !== undefined) return startInside(child, control, line);
      control.end(line);
      return child;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Entries of stdio are socket pairs, so they can be read and written; the types know five of them. */
function streamOf(child: ChildProcess, fd: number): Duplex {
  return (child.stdio as readonly unknown[])[fd] as Duplex;
}

async function openEntrances(
  { control, receiver, plan, report }: JailParts,
  { relay, captured, local = [], udp = [] }: EntrancePorts,
): Promise<Entrances> {
  if (receiver === undefined) throw new ProxyError('jail_refused', 'the jail has no network');
  const { earlyPorts: opened = [] } = plan;
  const { hasAllPorts = false } = report;
  // Ports of the loopback are led nowhere: what is reached there has a listener.
  const wanted = new Set([...(hasAllPorts ? [] : captured), ...local]);
  const later = [...wanted].filter((port) => port !== relay && !opened.includes(port));
  const request: JailListen = { listen: { relay, captured: later, udp } };
  control.write(`${JSON.stringify(request)}\n`);
  return { ...(await receiver.entrances()), hasAllPorts, local };
}

/** The helper starts the command beside itself and ends; where it cannot, it says why and ends with the code. */
function startInside(helper: ChildProcess, control: Duplex, line: string): JailedProcess {
  const command = new JailedProcess();
  const ended = helper.exitCode === null ? once(helper, 'exit') : Promise.resolve();
  control.write(line);
  void (async () => {
    try {
      const { started } = await readLine<JailStarted>(control);
      command.started(started);
    } catch {
      // It ends, and says why; one that does not, hangs.
    }
    const late = setTimeout(() => helper.kill('SIGKILL'), lateMs);
    await ended;
    clearTimeout(late);
    command.helperEnded(helper);
  })();
  return command;
}

/** The next line from the helper. */
async function readLine<T>(
  control: Duplex,
  timeoutMs: number = defaultLimits.jailEnterTimeoutMs,
): Promise<T> {
  const signal = AbortSignal.timeout(timeoutMs);
  let text = '';
  control.setEncoding('utf8');
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onData = (chunk: string): void => {
    text += chunk;
    if (text.length > defaultLimits.jailLineBytesMax)
      reject(new ProxyError('jail_refused', 'the helper talks too much'));
    // Written by our own program: the type is what jail-helper.ts writes.
    else if (text.endsWith('\n')) resolve(JSON.parse(text) as T);
  };
  const onClose = (): void => {
    reject(new ProxyError('jail_refused', 'the helper of the jail ended before it said what holds'));
  };
  const onTimeout = (): void => {
    reject(new ProxyError('jail_refused', `the helper of the jail was not ready after ${timeoutMs} ms`));
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
