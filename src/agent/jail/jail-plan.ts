// What the agent and the helper inside the jail tell each other: one line of JSON each, on one descriptor.

import type { EntrancePorts } from '../capture/entrances.ts';
import type { Identity } from './identity.ts';

/** How our own program is started as the helper: the runtime, its options, the hidden subcommand. */
export interface HelperProgram {
  readonly file: string;
  readonly args: readonly string[];
  /** For tests: instead of the limit. */
  readonly enterTimeoutMs?: number;
}

/** The layers, in the order in which the helper enters them. `signals` is the part of Landlock that ABI 6 brought. */
export const jailLayers = [
  'files',
  'ipc',
  'processes',
  'network',
  'no-new-privs',
  'landlock',
  'signals',
  'seccomp',
  'capabilities',
  'identity',
] as const;
export type JailLayer = (typeof jailLayers)[number];

/** Those that are namespaces: for them the helper of who is not root starts in a namespace of users. */
export const namespaceLayers: ReadonlySet<JailLayer> = new Set(['files', 'network', 'ipc', 'processes']);

/** What is laid over a path in the command's own mount namespace; nothing outside changes (`covers.ts`). */
export interface Cover {
  /** Absolute. What is there says whether a file or a folder is laid over it; a path that is not there is passed over. */
  readonly path: string;
  /** Base64. Over a file, which is empty without it. */
  readonly content?: string;
  /** Over a folder, which is empty without them. */
  readonly entries?: readonly CoverEntry[];
  /** What else the folder holds is seen beside the entries. */
  readonly keepsOthers?: boolean;
  /** Paths below the folder that are seen beside the entries. */
  readonly keeps?: readonly string[];
  /** The command can write there; what it writes is lost. Else it is read-only. */
  readonly isWritable?: boolean;
}

/** A name may have folders in it, which are made. */
export type CoverEntry =
  | { readonly name: string; readonly content: string }
  | { readonly name: string; readonly link: string };

/** Content that is known only when the session stands, for a path of `JailPlan.covers`: of entries that were laid, and of more. */
export type LateCover = Pick<Cover, 'path' | 'content' | 'entries'>;

/** First line to the helper: what to enter. */
export interface JailPlan {
  /** Layers to try; the others are left out without a word. */
  readonly layers: readonly JailLayer[];
  /** For `network`: ports to capture, and to send out, as soon as it stands. */
  readonly earlyPorts?: readonly number[];
  /** For `network`: all other ports are to lead to one of the early ones; the layer fails without them where they are required. */
  readonly allPorts?: 'required' | 'wanted';
  /** The helper asks for its users and waits for a line before it does anything. */
  readonly needsMap?: boolean;
  /** The helper was started in a namespace of users, where no command is to be without the others. */
  readonly inUserNamespace?: boolean;
  /** The standard error of the command is on another descriptor. */
  readonly hasOwnStandardError?: boolean;
  /** If given, the command can write only there. */
  readonly fsWrite?: readonly string[];
  /** The command's user, where the agent runs as root. */
  readonly identity?: Identity;
  /** The soft limit of open files that the command would have had; the runtime raised it. */
  readonly openFilesSoft?: number;
  /** For `files`: what is laid over secrets. */
  readonly hides?: readonly Cover[];
  /** Laid over paths where the command has a mount namespace of its own; `JailReport.covered` says over which. */
  readonly covers?: readonly Cover[];
  /** For tests: the newest version of Landlock's interface to use. */
  readonly landlockAbiMax?: number;
}

/** A line of the helper before its response: it is in a user namespace that has no users yet. The agent's is empty. */
export type JailMap = Readonly<Record<string, never>>;

/** Response of the helper: what holds, before any command runs. */
export interface JailReport {
  readonly layers: readonly LayerReport[];
  /** The helper left the agent's namespaces and could not make each of its own: it must not become the command. */
  readonly isStranded?: boolean;
  /** For `processes`: the init, a child of the agent. */
  readonly init?: number;
  /** For `network`: all ports lead to one of the early ones. */
  readonly hasAllPorts?: boolean;
  readonly measures?: JailMeasures;
  /** Paths of the plan's covers that are covered. */
  readonly covered?: readonly string[];
  /** Why none of the covers could be laid. */
  readonly coverFault?: string;
  /** What went wrong that is no refusal: with it nothing may start, whatever holds. */
  readonly fault?: string;
}

/** Facts that were measured inside, after the layers. */
export interface JailMeasures {
  /** The command will have a capability that goes around Landlock. */
  readonly isPowerful: boolean;
  /** Its user, as the kernel said when the helper was it for a moment. */
  readonly uid: number;
  /** For `network`: its own, as the link below /proc names it; absent where that cannot be seen. */
  readonly network?: string;
  /** For `network`: interfaces and routes that lead out of it. */
  readonly networkWays?: readonly string[];
  /** Standard streams that lead into a network outside. */
  readonly networkStreams: readonly number[];
  /** For `files`: standard streams that were folders which cannot be had inside, and are /dev/null. */
  readonly lostStreams?: readonly number[];
  /** No terminal of outside has a path. */
  readonly ownTerminals: boolean;
  /** Descriptors beyond them that it would have. */
  readonly inherited: readonly number[];
  /** A process outside could be reached before the layers and cannot now, so the filter leaves the command `ptrace` and its like. */
  readonly reachesOwnAlone: boolean;
}

export interface LayerReport {
  readonly layer: JailLayer;
  readonly held: boolean;
  /** Why not; absent if it holds. */
  readonly reason?: string;
}

/** A line in between, where `network` holds: the entrances that are left to open. Listeners come over the IPC channel. */
export interface JailListen {
  readonly listen: EntrancePorts;
}

/** Last line to the helper: what to become. The end of the descriptor instead means: end. */
export interface JailCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What covers still lack. Each path must be one of `JailReport.covered`. */
  readonly covers?: readonly LateCover[];
}

/** Reply to it, where `processes` holds: the command runs as a child of the agent. Elsewhere the helper has become it. */
export interface JailStarted {
  readonly started: number;
}

/** The helper's descriptor for these lines. */
export const controlFd = 3;
/** The command's standard error, where the helper has another; behind that of the channel. */
export const standardErrorFd = 5;
/** The standard streams of the init. */
export const initFd = 6;
