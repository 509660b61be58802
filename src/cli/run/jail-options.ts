// The options of `run` for the jail of the command, and how our own program is started as its helper.

import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { earlyPorts } from '../../agent/capture/entrances.ts';
import { parseIdentity } from '../../agent/jail/identity.ts';
import { jailLayers, type JailLayer, type JailPlan } from '../../agent/jail/jail-plan.ts';
import { openJail, type Jail } from '../../agent/jail/jail-process.ts';
import type { HelperProgram } from '../../agent/jail/jail-plan.ts';
import { openFilesSoft } from '../../agent/kernel/process-table.ts';
import { ProxyError } from '../../protocol/error.ts';
import { isSingleFile, markArguments } from '../terminal/argument-marks.ts';
import { choiceOption } from '../terminal/command.ts';

/** For parseArgs. */
export const jailOptionTable = {
  isolate: { type: 'string' },
  'jail-layers': { type: 'string' },
  'fs-write': { type: 'string', multiple: true },
  user: { type: 'string' },
  'capture-only': { type: 'boolean' },
  'capture-ports': { type: 'string' },
} as const;

export const jailOptionUsage = `
The command runs in a jail, from which it cannot read or signal the agent (docs/reference/jail.md):
  --isolate WHAT        auto (default): each layer that the kernel has; one line says what is missing
                        require: without all of them nothing is started
                        off: no jail
  --jail-layers LIST    only these, with commas between: network,no-new-privs,landlock,seccomp,capabilities
  --fs-write PATH       the command can write only there; may be given several times
  --user USER[:GROUP]   the command runs as that user, where this is root
  --capture-only        no variable names the proxy: the command's connections are captured
                        (docs/reference/capture.md); needs the layer network, or --capture-loopback
  --capture-ports WHAT  policy (default): 80, 443 and the ports that its rules name
                        all: every port, where nft(8) is
`;

interface ParsedJailOptions {
  readonly isolate?: string | undefined;
  readonly 'jail-layers'?: string | undefined;
  readonly 'fs-write'?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly 'capture-only'?: boolean | undefined;
  readonly 'capture-ports'?: string | undefined;
  readonly 'capture-loopback'?: boolean | undefined;
}

export interface JailOptions {
  readonly isolate: 'auto' | 'require' | 'off';
  readonly plan: JailPlan;
  /** The command gets no proxy variables, so it must be captured. */
  readonly captureOnly: boolean;
  /** Where it has no network of its own it is to be captured on loopback. */
  readonly captureLoopback: boolean;
}

const knownLayers: readonly JailLayer[] = ['network', 'no-new-privs', 'landlock', 'seccomp', 'capabilities'];

/** Who is not root has none to give up. */
function defaultLayers(): readonly JailLayer[] {
  return process.geteuid?.() === 0 ? knownLayers : knownLayers.filter((layer) => layer !== 'capabilities');
}

/** Checks the options. Throws `usage`. */
export function readJailOptions(values: ParsedJailOptions): JailOptions {
  const isolate = choiceOption('isolate', values.isolate, ['auto', 'require', 'off']);
  const { user } = values;
  const fsWrite = values['fs-write']?.map((path) => resolve(path));
  if (
    isolate === 'off' &&
    (user !== undefined ||
      fsWrite !== undefined ||
      values['jail-layers'] !== undefined ||
      (values['capture-only'] === true && values['capture-loopback'] !== true) ||
      values['capture-ports'] !== undefined)
  )
    throw new ProxyError(
      'usage',
      '--user, --fs-write, --jail-layers, --capture-only and --capture-ports need the jail; leave --isolate=off away',
    );
  if (user !== undefined && process.geteuid?.() !== 0)
    throw new ProxyError('usage', '--user can be given by root alone');
  const openFiles = openFilesSoft(process.ppid);
  const plan: JailPlan = {
    layers: values['jail-layers'] === undefined ? defaultLayers() : readLayers(values['jail-layers']),
    ...(fsWrite === undefined ? {} : { fsWrite }),
    ...(user === undefined ? {} : { identity: parseIdentity(user) }),
    ...(openFiles === undefined ? {} : { openFilesSoft: openFiles }),
    hasAllPorts: choiceOption('capture-ports', values['capture-ports'], ['policy', 'all']) === 'all',
  };
  if (fsWrite !== undefined && !plan.layers.includes('landlock'))
    throw new ProxyError('usage', '--fs-write needs the layer landlock');
  const captureOnly = values['capture-only'] ?? false;
  const captureLoopback = values['capture-loopback'] ?? false;
  if (captureOnly && !captureLoopback && !plan.layers.includes('network'))
    throw new ProxyError('usage', '--capture-only needs the layer network, or --capture-loopback');
  if (plan.hasAllPorts === true && !plan.layers.includes('network'))
    throw new ProxyError('usage', '--capture-ports all needs the layer network');
  return { isolate, plan, captureOnly, captureLoopback };
}

function readLayers(text: string): readonly JailLayer[] {
  const words = text.split(',').map((word) => word.trim());
  return words.map((word) => {
    const layer = jailLayers.find((known) => known === word);
    if (layer !== undefined && knownLayers.includes(layer)) return layer;
    throw new ProxyError('usage', `--jail-layers takes ${knownLayers.join(', ')}, not "${word}"`);
  });
}

/**
 * Starts the helper, before this process hardens itself. Undefined where there is to be no jail. With `auto` what the kernel refuses is
 * left out, as long as a layer is left; what was asked for by name (`require`, `--fs-write`, `--user`, `--capture-only`,
 * `--capture-ports all`) must hold. Throws jail_refused otherwise, and for all that is no refusal of the kernel: a helper that is
 * late, stopped or killed, and a lack of processes or memory, which a command of this user could bring about for the next one.
 */
export async function openJailFor(
  options: JailOptions & { readonly relayPort?: number; readonly helper?: HelperProgram },
  quiet: boolean,
): Promise<Jail | undefined> {
  const { isolate, plan } = options;
  if (isolate === 'off') return undefined;
  try {
    const early = { earlyPorts: earlyPorts(options.relayPort) };
    const jail = await openJail({ ...plan, ...early }, options.helper ?? helperProgram());
    const missing = jail.report.layers.filter(({ held }) => !held);
    const text = missing.map(({ layer, reason }) => `${layer} (${reason ?? 'refused'})`).join('; ');
    const must = isolate === 'require' ? missing : missing.filter(({ layer }) => isAskedFor(layer, options));
    if (must.length > 0) {
      await jail.close();
      throw new ProxyError('jail_refused', `the kernel refuses a layer of the jail: ${text}`);
    }
    if (missing.length === jail.report.layers.length) {
      await jail.close();
      throw new ProxyError(
        'jail_refused',
        `the kernel refuses every layer of the jail: ${text}; only --isolate=off runs a command without one`,
      );
    }
    if (missing.length > 0 && !quiet) process.stderr.write(`upstreamproxy: the jail is without ${text}\n`);
    return jail;
  } catch (error) {
    // A key of the terminal ends the helper too, and that is no word about the kernel. Of the two, either may be heard first.
    await nextTurn();
    throw error;
  }
}

/** Whether an option needs the layer, so that nothing is to run without it. */
function isAskedFor(layer: JailLayer, { plan, captureOnly, captureLoopback }: JailOptions): boolean {
  if (layer === 'identity') return true;
  if (layer === 'landlock') return plan.fsWrite !== undefined;
  return layer === 'network' && ((captureOnly && !captureLoopback) || plan.hasAllPorts === true);
}

/** Our own program again; in a single-file build the runtime and the program are one. */
function helperProgram(): HelperProgram {
  const [, script = ''] = process.argv;
  const own = isSingleFile() ? [] : [...process.execArgv, script];
  return { file: process.execPath, args: [...own, ...markArguments(['jail-helper'])] };
}
