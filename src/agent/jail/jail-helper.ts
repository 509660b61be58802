// The process between the agent and the command: enters the layers, tells which hold, waits, and becomes the command.
// It is our own program, started again with a hidden subcommand, so that the agent itself is never inside the jail.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { layCovers } from './covers.ts';
import {
  becomeProgram,
  closeAtExec,
  closeOthers,
  dieWithParent,
  findProgram,
  restoreProcess,
} from './become-program.ts';
import { assumeIdentity } from './identity.ts';
import {
  controlFd,
  type JailCommand,
  type JailListen,
  type JailMap,
  type JailPlan,
  type JailReport,
  type JailStarted,
  type LayerReport,
  namespaceLayers,
  standardErrorFd,
} from './jail-plan.ts';
import { errnoName, isRefusal, requireDone } from '../../system/kernel-fault.ts';
import { closeKernelFiles, controlGroups, makeMountNamespace } from './kernel-files.ts';
import { lookedAt } from './hidden-files.ts';
import { type JailContext, lessen, PartlyRefused, steps } from './jail-steps.ts';
import { measure, measureIdentity } from './measure.ts';
import { sendEarlyEntrances, sendEntrances } from './network-entrances.ts';
import { installFilter, ringProgram } from './seccomp.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

const standardError = 2;
const keySignals = ['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGHUP'] as const;
/** struct sigaction of the kernel with SIG_IGN. */
const ignoredAction = new Uint8Array(new BigUint64Array([1n, 0n, 0n, 0n]).buffer);

/**
 * Runs the helper on the control descriptor; does not return where the command could be started. Returns the exit
 * code otherwise: 0 if no command came, 126 or 127 as shells have them.
 */
export async function runJailHelper(): Promise<number> {
  const agent = process.ppid;
  const plan = readLine<JailPlan>();
  if (plan === undefined) return 0;
  using calls = openSystemCalls();
  closeAtExec(calls, systemCallNumbers());
  if (plan.needsMap === true) {
    writeSync(controlFd, '{}\n');
    if (readLine<JailMap>() === undefined) return 0;
  }
  const context: JailContext = {
    plan,
    calls,
    numbers: systemCallNumbers(),
    isInside: plan.inUserNamespace === true,
    hasMountNamespace: false,
    hasFilter: false,
    reachesOwnAlone: false,
    controlGroups: controlGroups(),
  };
  if (plan.hasOwnStandardError === true)
    requireDone('dup3', calls.call(context.numbers.dup3, standardErrorFd, standardError, 0));
  const report = await enter(context);
  writeSync(controlFd, `${JSON.stringify(report)}\n`);
  if (report.fault !== undefined) return 0;
  const { layers } = report;
  if (plan.earlyPorts !== undefined && layers.some(({ layer, held }) => layer === 'network' && held))
    await sendEarlyEntrances(context, plan.earlyPorts);
  let line = readLine<JailListen | JailCommand>();
  if (line !== undefined && 'listen' in line) {
    await sendEntrances(context, line.listen);
    line = readLine<JailCommand>();
  }
  if (line === undefined || 'listen' in line) return 0;
  return await becomeCommand(context, line, agent);
}

async function enter(context: JailContext): Promise<JailReport> {
  try {
    const { layers, lostStreams } = lookedAt(context, await enterLayers(context));
    const { init, hasAllPorts = false } = context;
    const isStranded =
      context.isInside && layers.some(({ layer, held }) => namespaceLayers.has(layer) && !held);
    const { plan, uid = process.geteuid?.() ?? 0, reachesOwnAlone, ownTerminals } = context;
    const measures = { ...measure(context, plan, { uid, reachesOwnAlone, ownTerminals }), lostStreams };
    return {
      layers,
      isStranded,
      measures,
      hasAllPorts,
      ...(init === undefined ? {} : { init }),
      ...coverReport(context),
    };
  } catch (error) {
    return { layers: [], fault: error instanceof Error ? error.message : String(error) };
  }
}

/** Throws what is no refusal of the kernel. */
async function enterLayers(context: JailContext): Promise<readonly LayerReport[]> {
  const { plan } = context;
  const reports: LayerReport[] = [];
  closeKernel(context);
  coverPaths(context);
  for (const step of steps) {
    if (!plan.layers.includes(step.layer)) continue;
    try {
      await step.enter(context);
      reports.push({ layer: step.layer, held: true });
      if (step.layer === 'landlock') reports.push({ layer: 'signals', held: true });
    } catch (error) {
      // Landlock without its newer half is still a domain.
      if (error instanceof PartlyRefused) {
        reports.push(
          { layer: step.layer, held: true },
          { layer: error.layer, held: false, reason: error.message },
        );
      } else if (error instanceof Error && isRefusal(error)) {
        reports.push({ layer: step.layer, held: false, reason: error.message });
      } else {
        // A state that another process can bring about must not cost a layer.
        throw error;
      }
    }
  }
  // The rights of the namespace were for this process alone.
  lessen(context);
  if (plan.identity !== undefined) reports.push(identityReport(context));
  return reports;
}

/** First of all, for the layers refuse it. Where it is refused to root, the layer `capabilities` tells. */
function closeKernel(context: JailContext): void {
  const { plan, calls, numbers } = context;
  // Others have the right to it in a namespace of users alone.
  if (!plan.layers.includes('capabilities') && !plan.layers.some((layer) => namespaceLayers.has(layer)))
    return;
  try {
    makeMountNamespace(calls, numbers);
    context.hasMountNamespace = true;
    closeKernelFiles(calls, numbers);
  } catch (error) {
    // A container's root may not, and its runtime has done the same.
    if (!isRefusal(error)) throw error;
  }
}

/** Before the first process of the namespace is started, so that it shows nothing else either. */
function coverPaths(context: JailContext): void {
  const { covers = [] } = context.plan;
  if (covers.length === 0) return;
  if (!context.hasMountNamespace) {
    context.coverFault = 'there is no mount namespace of its own';
    return;
  }
  try {
    context.covers = layCovers(context, covers);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    context.coverFault = error instanceof Error ? error.message : String(error);
  }
}

function coverReport({ covers, coverFault }: JailContext): Pick<JailReport, 'covered' | 'coverFault'> {
  const covered = covers?.covered.filter(({ path, of }) => path === of).map(({ path }) => path);
  return {
    ...(covered === undefined ? {} : { covered }),
    ...(coverFault === undefined ? {} : { coverFault }),
  };
}

/** It is entered last, after what only root may do; here it is for a moment. */
function identityReport(context: JailContext): LayerReport {
  if (process.geteuid?.() !== 0)
    return { layer: 'identity', held: false, reason: 'only root can start a command as another user' };
  try {
    context.uid = measureIdentity(context, context.plan.identity);
    return { layer: 'identity', held: true };
  } catch (error) {
    if (!(error instanceof Error) || !isRefusal(error)) throw error;
    return { layer: 'identity', held: false, reason: error.message };
  }
}

async function becomeCommand(context: JailContext, command: JailCommand, agent: number): Promise<number> {
  const { plan, calls, numbers } = context;
  const { file, args } = command;
  const environment = { ...command.environment, ...plan.identity?.environment };
  for (const late of command.covers ?? []) context.covers?.fill(late);
  // Before the change of user: a limit may be raised again by root alone.
  restoreProcess(calls, numbers, plan.openFilesSoft);
  try {
    if (plan.identity !== undefined) assumeIdentity(context, plan.identity);
  } catch (error) {
    return startFault(file, 126, error instanceof Error ? error.message : String(error));
  }
  const program = findProgram(file, environment['PATH']);
  if ('code' in program) return startFault(file, program.code, 'it is not an executable file');
  if (context.hasFilter) installFilter(calls, numbers, ringProgram());
  if (context.init !== undefined)
    return await startCommand(context, { ...command, environment, path: program.path });
  dieWithParent(calls, numbers);
  // It was killed before, so nothing would end the command.
  if (process.ppid !== agent) return 0;
  const errno = becomeProgram(calls, numbers, { path: program.path, argv: [file, ...args], environment });
  return startFault(file, errnoName(errno) === 'ENOENT' ? 127 : 126, systemReason(errno));
}

/**
 * In its own namespace of processes the command is a new process. Its parent, this one, ends, and then it is the agent's, which adopts
 * what is left of its children.
 */
async function startCommand(
  { calls, numbers }: JailContext,
  { file, args, environment, path }: JailCommand & { readonly path: string },
): Promise<never> {
  /** Without another turn of the runtime, to which the filter refuses what it waits with. */
  const endAtOnce = (code: number): never => {
    calls.call(numbers.exit_group, code);
    throw new Error('it has ended');
  };
  closeOthers(calls, numbers);
  // Keys of the terminal are for the command, and what started it has to say so. The runtime gives a child its signals back.
  for (const name of keySignals)
    calls.call(numbers.rt_sigaction, constants.signals[name], ignoredAction, 0, 8);
  const child = spawn(path, [...args], { argv0: file, env: environment, stdio: 'inherit' });
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
    return endAtOnce(startFault(file, error.code === 'ENOENT' ? 127 : 126, faultReason(error)));
  }
  const started: JailStarted = { started: child.pid };
  writeSync(controlFd, `${JSON.stringify(started)}\n`);
  return endAtOnce(0);
}

/** In words, as of an error of the runtime. */
function systemReason(errno: number): string {
  return faultReason({ code: errnoName(errno) });
}

function startFault(file: string, code: number, reason: string): number {
  const nowhere = file.includes('/') ? 'there is no such program' : 'there is no such program on PATH';
  const text = code === 127 ? nowhere : reason;
  process.stderr.write(`upstreamproxy: cannot start ${file}: ${text} [usage]\n`);
  return code;
}

/** One line of JSON from the agent; undefined if it closed its end. */
function readLine<T>(): T | undefined {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const chunk = Buffer.alloc(65_536);
    const count = readSync(controlFd, chunk, 0, chunk.length, null);
    if (count === 0) return undefined;
    const read = chunk.subarray(0, count);
    chunks.push(read);
    bytes += count;
    // The agent sends a line only after the response to the one before, so a line ends with the chunk.
    // It was written by our own program: the type is what jail-process.ts writes.
    if (read.at(-1) === 0x0a) return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
    if (bytes > defaultLimits.jailLineBytesMax)
      throw new ProxyError(
        'limit_exceeded',
        `a control line is longer than ${defaultLimits.jailLineBytesMax} bytes`,
      );
  }
}
