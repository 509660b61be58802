// The options of `run` for the jail of the command.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { earlyPorts, resolverPort } from '../../agent/capture/entrances.ts';
import { parseIdentity } from '../../agent/jail/identity.ts';
import type { Cover, JailLayer, JailPlan } from '../../agent/jail/jail-plan.ts';
import type { HelperAhead } from '../../agent/jail/helper-process.ts';
import { openJail, type Jail } from '../../agent/jail/jail-process.ts';
import type { HelperProgram } from '../../agent/jail/jail-plan.ts';
import type { StoreCovers } from '../../agent/trust/store-covers.ts';
import { openFilesSoft } from '../../agent/kernel/process-table.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import type { jailOptionTable } from '../commands/jail-options-table.ts';
import type { runDefinition } from '../commands/run-definition.ts';
import type { OptionValues } from '../definition/command-definition.ts';
import { defaultLayers, helperProgram } from './helper-ahead.ts';

type JailValues = Pick<
  OptionValues<(typeof runDefinition)['options']>,
  keyof typeof jailOptionTable | 'capture-loopback'
>;

export interface JailOptions {
  readonly isolate: 'auto' | 'require' | 'off';
  readonly plan: JailPlan;
  /** Places whose secrets are not hidden. */
  readonly fsRead: readonly string[];
  /** Ports of the loopback outside that the command reaches from a network of its own. */
  readonly allowLocal: readonly number[];
  /** The command gets no proxy variables, so it must be captured. */
  readonly captureOnly: boolean;
  /** Where it has no network of its own it is to be captured on loopback. */
  readonly captureLoopback: boolean;
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535 && port !== resolverPort) return port;
  throw new ProxyError(
    'usage',
    `--allow-local takes a number of a port from 1 to 65535 other than ${resolverPort}`,
  );
}

/** What cannot be opened would be told as a layer that the kernel refuses. Throws `usage`. */
function requireThere(path: string): void {
  try {
    statSync(path);
  } catch (error) {
    throw new ProxyError('usage', `--fs-write ${path}: ${faultReason(error)}`, { cause: error });
  }
}

/** Checks the options. Throws `usage`. */
export function readJailOptions(values: JailValues): JailOptions {
  const { isolate, user } = values;
  const fsWrite = values['fs-write']?.map((path) => resolve(path));
  for (const path of fsWrite ?? []) requireThere(path);
  const fsRead = values['fs-read'] ?? [];
  const allowLocal = (values['allow-local'] ?? []).map(readPort);
  if (
    isolate === 'off' &&
    (user !== undefined ||
      fsWrite !== undefined ||
      fsRead.length + allowLocal.length > 0 ||
      values['jail-layers'] !== undefined ||
      (values['capture-only'] && !values['capture-loopback']) ||
      values['capture-ports'] !== undefined)
  )
    throw new ProxyError(
      'usage',
      '--user, --fs-write, --fs-read, --allow-local, --jail-layers, --capture-only and --capture-ports need the jail; leave --isolate=off away',
    );
  if (user !== undefined && process.geteuid?.() !== 0)
    throw new ProxyError('usage', '--user can be given by root alone');
  const openFiles = openFilesSoft(process.ppid);
  const plan: JailPlan = {
    layers: values['jail-layers'] ?? defaultLayers(),
    ...(fsWrite === undefined ? {} : { fsWrite }),
    ...(user === undefined ? {} : { identity: parseIdentity(user) }),
    ...(openFiles === undefined ? {} : { openFilesSoft: openFiles }),
    ...allPortsOf(values['capture-ports']),
  };
  if (fsWrite !== undefined && !plan.layers.includes('landlock'))
    throw new ProxyError('usage', '--fs-write needs the layer landlock');
  const captureOnly = values['capture-only'];
  const captureLoopback = values['capture-loopback'];
  if (captureOnly && !captureLoopback && !plan.layers.includes('network'))
    throw new ProxyError('usage', '--capture-only needs the layer network, or --capture-loopback');
  if (plan.allPorts === 'required' && !plan.layers.includes('network'))
    throw new ProxyError('usage', '--capture-ports all needs the layer network');
  return { isolate, plan, fsRead, allowLocal, captureOnly, captureLoopback };
}

/**
 * Every layer, of which none may be missing: for a command with a network and processes of its own. Of the files it is kept from what `hides`
 * covers alone; it writes what whoever starts it reads.
 */
export function confiningJail(hides: readonly Cover[]): JailOptions {
  const plan: JailPlan = { layers: defaultLayers(), ...(hides.length === 0 ? {} : { hides }) };
  const open = { fsRead: [], allowLocal: [], captureOnly: false, captureLoopback: false };
  return { isolate: 'require', plan, ...open };
}

/** By default what no rule names is captured where the kernel can lead it, so that who is refused hears of it. */
function allPortsOf(choice: JailValues['capture-ports']): Pick<JailPlan, 'allPorts'> {
  if (choice === 'policy') return {};
  return { allPorts: choice === 'all' ? 'required' : 'wanted' };
}

/**
 * Starts the helper, before this process hardens itself. Undefined where there is to be no jail. With `auto` what the kernel refuses is
 * left out, as long as a layer is left; what was asked for by name (`require`, `--fs-write`, `--user`, `--capture-only`,
 * `--capture-ports all`) must hold. Throws jail_refused otherwise, and for all that is no refusal of the kernel: a helper that is
 * late, stopped or killed, and a lack of processes or memory, which a command of this user could bring about for the next one.
 */
export async function openJailFor(
  options: JailOptions & {
    readonly relayPort?: number;
    readonly helper?: HelperProgram;
    /** Trust stores that the command is to see with the CA in them. */
    readonly stores?: StoreCovers | undefined;
    readonly ahead?: HelperAhead | undefined;
  },
  quiet: boolean,
): Promise<Jail | undefined> {
  const { isolate, plan } = options;
  if (isolate === 'off') return undefined;
  try {
    const early = { earlyPorts: earlyPorts(options.relayPort), covers: storeCovers(options) };
    const jail = await openJail({ ...plan, ...early }, options.helper ?? helperProgram(), options.ahead);
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

/**
 * The jail of a command that goes on without the proxy, which is to have its caller's network again: that of the proxy has no way out but the
 * relay. Only what was asked for by name stays, also where nothing can be reached from it.
 */
export async function openWithoutNetwork(
  opened: Jail | undefined,
  options: Parameters<typeof openJailFor>[0],
): Promise<Jail | undefined> {
  const { plan, isolate } = options;
  if (opened?.listen === undefined || isolate === 'require' || isAskedFor('network', options)) return opened;
  await opened.close();
  const layers = plan.layers.filter((layer) => layer !== 'network');
  if (layers.length === 0) return undefined;
  // What the kernel refuses was said the first time.
  return await openJailFor({ ...options, plan: { ...plan, layers } }, true);
}

/** Root can write there as it can outside, though not for longer than the command lives: packages that are installed do. */
function storeCovers({ plan, stores }: Parameters<typeof openJailFor>[0]): readonly Cover[] {
  const isWritable = process.geteuid?.() === 0 && plan.identity === undefined && plan.fsWrite === undefined;
  return stores?.places(isWritable) ?? [];
}

/** Whether an option needs the layer, so that nothing is to run without it. */
function isAskedFor(layer: JailLayer, { plan, captureOnly, captureLoopback }: JailOptions): boolean {
  if (layer === 'identity') return true;
  if (layer === 'landlock') return plan.fsWrite !== undefined;
  return layer === 'network' && ((captureOnly && !captureLoopback) || plan.allPorts === 'required');
}
