// Capture on the container's own loopback: for all of its processes, and a wall against none. Only where it is asked for.

import { defaultLimits } from '../../protocol/limits.ts';
import { randomBytes } from 'node:crypto';
import { asProxyError } from '../../protocol/error.ts';
import { knownPlacements } from '../home-files/known-places.ts';
import { openPlacements, placementsDirectory } from '../home-files/outside-files.ts';
import type { RelayContext } from '../relay/relay-connection.ts';
import { type Capture, startCapture } from './capture.ts';
import { loopbackNetwork } from './fake-addresses.ts';
import { openLoopbackEntrances } from './loopback-entrances.ts';
import { agentResolvConf, originalResolvConf, resolvConfPath } from '../placements/resolv-conf.ts';

export interface LoopbackOptions {
  readonly captured: readonly number[];
  /** The workload's environment without us: its HOME and state folder, for the manifest. */
  readonly base: Readonly<Record<string, string | undefined>>;
  readonly context: RelayContext;
  /** For tests: another file, and another port of the resolver. */
  readonly resolvConf?: string;
  readonly namePort?: number;
}

/** Opens everything or, with the reason for a person, nothing. `close` puts resolv.conf back first of all. */
export async function openLoopbackCapture(
  options: LoopbackOptions,
): Promise<Capture | { readonly refused: string }> {
  try {
    return await open(options);
  } catch (error) {
    return { refused: asProxyError(error).message };
  }
}

async function open(options: LoopbackOptions): Promise<Capture> {
  const { captured, base, context, resolvConf = resolvConfPath, namePort } = options;
  const { logger } = context;
  await using stack = new AsyncDisposableStack();
  const directory = placementsDirectory(base);
  if (directory === undefined)
    throw new Error('HOME is not set, so what was changed could not be remembered');
  // First what a killed session has left, for that is not what is to be put back.
  const known = knownPlacements({ home: base['HOME'], root: '/' });
  const placements = stack.use(await openPlacements(directory, known));
  const entrances = await openLoopbackEntrances(captured, namePort);
  const capture = stack.use(startCapture(entrances, context));
  if (entrances.captured.length === 0) throw new Error('all ports to capture are taken');
  const mark = randomBytes(8).toString('hex');
  const isChanged = await placements.changeResolvConf(resolvConf, (text) => {
    if (text.length > defaultLimits.resolvConfBytesMax) throw new Error(`${resolvConf} is too large`);
    // Of a session that nobody remembers: the resolver's port is free, so it has ended.
    return agentResolvConf(originalResolvConf(text), loopbackNetwork.resolver, mark);
  });
  if (!isChanged) throw new Error(`${resolvConf} is no plain file`);
  const owned = stack.move();
  const close: Capture['close'] = async (how) => {
    for (const path of await placements.takeAway()) logger.warn(`stays: ${path}`);
    await capture.close(how);
    await owned.disposeAsync();
  };
  return {
    form: capture.form,
    takenPorts: capture.takenPorts,
    get connectionCount() {
      return capture.connectionCount;
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
