// The process between the agent and the command: enters the layers, tells which hold, waits, and becomes the command.
// It is our own program, started again with a hidden subcommand, so that the agent itself is never inside the jail.

import { readSync, writeSync } from 'node:fs';
import { ProxyError } from '../../protocol/error.ts';
import { openSystemCalls, type SystemCalls } from '../../system/ffi.ts';
import { dropCapabilities } from './capabilities.ts';
import { becomeProgram, dieWithParent, findProgram, restoreProcess } from './become-program.ts';
import { assumeIdentity } from './identity.ts';
import {
  controlFd,
  controlLineBytesMax,
  type JailCommand,
  type JailLayer,
  type JailListen,
  type JailMap,
  type JailPlan,
  type JailReport,
  type LayerReport,
} from './jail-plan.ts';
import { errnoName, isRefusal, requireDone } from '../../system/kernel-fault.ts';
import { canSetKernel, closeKernelFiles, makeMountNamespace } from './kernel-files.ts';
import { enterLandlock } from './landlock.ts';
import { enterNetwork } from './network.ts';
import { sendEarlyEntrances, sendEntrances } from './network-entrances.ts';
import { ownNamespaces } from './network-namespace.ts';
import { installSeccomp } from './seccomp.ts';
import { systemCallNumbers, type SystemCallNumbers } from '../../system/system-call-numbers.ts';

const PR_SET_NO_NEW_PRIVS = 38;
const standardError = 2;

/** What each step works with. */
export interface JailContext {
  readonly plan: JailPlan;
  readonly calls: SystemCalls;
  readonly numbers: SystemCallNumbers;
}

/** One layer. An Error that is thrown means: refused, and why. */
interface JailStep {
  readonly layer: JailLayer;
  enter(context: JailContext): void | Promise<void>;
}

const steps: readonly JailStep[] = [
  {
    layer: 'network',
    enter: ({ plan, calls, numbers }) => enterNetwork(calls, numbers, plan),
  },
  {
    layer: 'no-new-privs',
    enter: ({ calls, numbers }) =>
      void requireDone('PR_SET_NO_NEW_PRIVS', calls.call(numbers.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
  },
  {
    layer: 'landlock',
    enter: ({ plan, calls, numbers }) => {
      const { fsWrite, landlockAbiMax: abiMax } = plan;
      const options = {
        ...(fsWrite === undefined ? {} : { fsWrite }),
        ...(abiMax === undefined ? {} : { abiMax }),
      };
      const { abi, scoped } = enterLandlock(calls, numbers, options);
      if (!scoped) throw new PartlyRefused('signals', `Landlock ABI ${abi} cannot refuse them; ABI 6 can`);
    },
  },
  { layer: 'seccomp', enter: ({ calls, numbers }) => installSeccomp(calls, numbers) },
  {
    layer: 'capabilities',
    enter: ({ calls, numbers }) => {
      dropCapabilities(calls, numbers);
      if (canSetKernel()) throw new Error('root can set what the kernel starts outside, in /proc/sys');
    },
  },
];

/** The layer holds, but not what comes with it on newer kernels. */
class PartlyRefused extends Error {
  readonly layer: JailLayer;

  constructor(layer: JailLayer, reason: string) {
    super(reason);
    this.layer = layer;
  }
}

/**
 * Runs the helper on the control descriptor; does not return where the command could be started. Returns the exit
 * code otherwise: 0 if no command came, 126 or 127 as shells have them.
 */
export async function runJailHelper(): Promise<number> {
  const agent = process.ppid;
  const plan = readLine<JailPlan>();
  if (plan === undefined) return 0;
  using calls = openSystemCalls();
  if (plan.needsMap === true) {
    writeSync(controlFd, '{}\n');
    if (readLine<JailMap>() === undefined) return 0;
  }
  const context = { plan, calls, numbers: systemCallNumbers() };
  if (plan.standardErrorFd !== undefined)
    requireDone('dup3', calls.call(context.numbers.dup3, plan.standardErrorFd, standardError, 0));
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
  return becomeCommand(context, line, agent);
}

async function enter(context: JailContext): Promise<JailReport> {
  try {
    const layers = await enterLayers(context);
    return { layers, isStranded: isStranded(context.plan, layers) };
  } catch (error) {
    return { layers: [], fault: error instanceof Error ? error.message : String(error) };
  }
}

function isStranded({ outside }: JailPlan, layers: readonly LayerReport[]): boolean {
  const network = layers.find(({ layer }) => layer === 'network');
  return network?.held === false && ownNamespaces() !== outside;
}

/** Throws what is no refusal of the kernel. */
async function enterLayers(context: JailContext): Promise<readonly LayerReport[]> {
  const { plan } = context;
  const reports: LayerReport[] = [];
  closeKernel(context);
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
  // Done last, after what only root may do; that it can be done is known now.
  if (plan.identity !== undefined) reports.push(identityReport());
  return reports;
}

/** First of all, for the layers refuse it. Where it is refused to root, the layer `capabilities` tells. */
function closeKernel({ plan, calls, numbers }: JailContext): void {
  // Others have the right to it in the user namespace of `network` alone.
  if (!plan.layers.includes('capabilities') && !plan.layers.includes('network')) return;
  try {
    makeMountNamespace(calls, numbers);
    closeKernelFiles(calls, numbers);
  } catch (error) {
    // A container's root may not, and its runtime has done the same.
    if (!isRefusal(error)) throw error;
  }
}

function identityReport(): LayerReport {
  return process.geteuid?.() === 0
    ? { layer: 'identity', held: true }
    : { layer: 'identity', held: false, reason: 'only root can start a command as another user' };
}

function becomeCommand({ plan, calls, numbers }: JailContext, command: JailCommand, agent: number): number {
  const { file, args } = command;
  const environment = { ...command.environment, ...plan.identity?.environment };
  // Before the change of user: a limit may be raised again by root alone.
  restoreProcess(calls, numbers, plan.openFilesSoft);
  if (plan.identity !== undefined) assumeIdentity(calls, numbers, plan.identity);
  dieWithParent(calls, numbers);
  // It was killed before, so nothing would end the command.
  if (process.ppid !== agent) return 0;
  const program = findProgram(file, environment['PATH']);
  if ('code' in program) return startFault(file, program.code, 'it is not an executable file');
  const errno = becomeProgram(calls, numbers, { path: program.path, argv: [file, ...args], environment });
  const name = errnoName(errno);
  return startFault(file, name === 'ENOENT' ? 127 : 126, name);
}

function startFault(file: string, code: number, reason: string): number {
  const text = code === 127 ? 'there is no such program on PATH' : reason;
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
    if (bytes > controlLineBytesMax)
      throw new ProxyError('limit_exceeded', `a control line is longer than ${controlLineBytesMax} bytes`);
  }
}
