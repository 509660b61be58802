// The layers, in the order in which the helper enters them, and what each step leaves for those behind it.

import type { SystemCalls } from '../../system/ffi.ts';
import { isRefusal, requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';
import { dropCapabilities } from './capabilities.ts';
import type { Covers } from './covers.ts';
import { folderStreams, type FolderStream, hideFiles } from './hidden-files.ts';
import { enterIpcNamespace } from './ipc-namespace.ts';
import { initFd, type JailLayer, type JailPlan } from './jail-plan.ts';
import { canSetKernel } from './kernel-files.ts';
import { enterLandlock } from './landlock.ts';
import {
  bystander,
  canReach,
  canSignal,
  requireClosedGroups,
  requireFilter,
  requireNoNewPrivs,
} from './measure.ts';
import { enterNetwork } from './network.ts';
import { makeNamespaces } from './network-namespace.ts';
import { enterProcessNamespace } from './process-namespace.ts';
import { enterOwnTerminals, hasOwnTerminals, type OwnTerminals } from './terminals.ts';
import { installFilter, seccompProgram } from './seccomp.ts';

const PR_SET_NO_NEW_PRIVS = 38;

/** What each step works with, and leaves. */
export interface JailContext {
  readonly plan: JailPlan;
  /** A namespace was begun. */
  isInside: boolean;
  /** This thread has its own mounts. */
  hasMountNamespace: boolean;
  /** No terminal of outside has a path. Measured. */
  ownTerminals?: boolean;
  /** It has a network of its own, or the kernel refused one. */
  ownNetwork?: 'made' | Error;
  /** All ports lead to one that is captured. */
  hasAllPorts?: boolean;
  init?: number;
  /** What was laid over paths. */
  covers?: Covers;
  coverFault?: string;
  /** What was laid over secrets. */
  hidden?: Covers;
  folderStreams?: readonly FolderStream[];
  hasFilter: boolean;
  /** Measured. */
  reachesOwnAlone: boolean;
  /** The command's user, where another was asked for. Measured. */
  uid?: number;
  /** Folders of control groups; looked at first, for later this process has no place in /proc. */
  readonly controlGroups: readonly string[];
  readonly calls: SystemCalls;
  readonly numbers: SystemCallNumbers;
}

/** One layer. An Error that is thrown means: refused, and why. */
export interface JailStep {
  readonly layer: JailLayer;
  enter(context: JailContext): void | Promise<void>;
}

export const steps: readonly JailStep[] = [
  {
    layer: 'files',
    enter: (context) => {
      if (!context.hasMountNamespace) throw new Error('there is no mount namespace of its own');
      context.folderStreams = folderStreams();
      context.hidden = hideFiles(context, context.plan.hides ?? []);
    },
  },
  { layer: 'ipc', enter: (context) => enterIpcNamespace(context) },
  {
    layer: 'processes',
    enter: (context) => {
      // Once it is begun, a failure leaves nothing that a command could live in.
      context.isInside = true;
      // Before, or the init would be in the network outside, and show it.
      makeOwnNetwork(context);
      const terminals = takeTerminals(context);
      // Seen here, for later this process has no place in /proc.
      context.ownTerminals = hasOwnTerminals();
      context.init = enterProcessNamespace(context, initFd, terminals);
    },
  },
  {
    layer: 'network',
    enter: (context) => {
      const { plan, calls, numbers } = context;
      makeOwnNetwork(context);
      if (context.ownNetwork instanceof Error) throw context.ownNetwork;
      context.isInside = true;
      context.hasAllPorts = enterNetwork(calls, numbers, plan).hasAllPorts;
    },
  },
  {
    layer: 'no-new-privs',
    enter: (context) => {
      const { calls, numbers } = context;
      requireDone('PR_SET_NO_NEW_PRIVS', calls.call(numbers.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
      requireNoNewPrivs(context);
    },
  },
  {
    layer: 'landlock',
    enter: (context) => {
      const { plan, calls, numbers } = context;
      const { fsWrite, landlockAbiMax: abiMax } = plan;
      const options = {
        ownFolders: context.covers?.folders ?? [],
        ...(fsWrite === undefined ? {} : { fsWrite }),
        ...(abiMax === undefined ? {} : { abiMax }),
      };
      lessen(context);
      using outside = bystander();
      const wasReached = outside !== undefined && canReach(context, outside.pid);
      const { abi, scoped } = enterLandlock(calls, numbers, options);
      if (outside !== undefined && canReach(context, outside.pid))
        throw new Error('a process outside can be reached all the same');
      context.reachesOwnAlone = wasReached;
      if (scoped && outside !== undefined && canSignal(outside.pid))
        throw new PartlyRefused('signals', 'a process outside can be signalled all the same');
      if (!scoped) throw new PartlyRefused('signals', `Landlock ABI ${abi} cannot refuse them; ABI 6 can`);
    },
  },
  {
    layer: 'seccomp',
    enter: (context) => {
      const { reachesOwnAlone, init } = context;
      const program = seccompProgram(process.arch, { reachesOwnAlone, namesOwnAlone: init !== undefined });
      installFilter(context.calls, context.numbers, program);
      requireFilter(context);
      context.hasFilter = true;
    },
  },
  {
    layer: 'capabilities',
    enter: ({ calls, numbers, controlGroups }) => {
      dropCapabilities(calls, numbers);
      if (canSetKernel()) throw new Error('root can set what the kernel starts outside, in /proc/sys');
      requireClosedGroups(controlGroups);
    },
  },
];

/** Where the kernel refuses them, the command has those of outside, and the report says so. */
function takeTerminals(context: JailContext): OwnTerminals | undefined {
  try {
    return enterOwnTerminals(context);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

function makeOwnNetwork(context: JailContext): void {
  const { plan, calls, numbers, ownNetwork } = context;
  if (!plan.layers.includes('network') || ownNetwork !== undefined) return;
  try {
    makeNamespaces(calls, numbers);
    context.ownNetwork = 'made';
  } catch (error) {
    if (!(error instanceof Error) || !isRefusal(error)) throw error;
    context.ownNetwork = error;
  }
}

/** What this process executes from now on has no more rights than the command will have. Where that is refused, the layer tells. */
export function lessen({ plan, calls, numbers }: JailContext): void {
  if (plan.inUserNamespace !== true && !plan.layers.includes('capabilities')) return;
  try {
    dropCapabilities(calls, numbers);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

/** The layer holds, but not what comes with it on newer kernels. */
export class PartlyRefused extends Error {
  readonly layer: JailLayer;

  constructor(layer: JailLayer, reason: string) {
    super(reason);
    this.layer = layer;
  }
}
