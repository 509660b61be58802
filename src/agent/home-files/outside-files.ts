// What a session places outside of its own folder, where it was asked to: files in HOME, and the system's trust.

import { join } from 'node:path';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { WorkloadFiles } from '../trust/workload-stores.ts';
import type { Logger } from '../../system/logger.ts';
import { placeSystemTrust } from '../trust/system-store.ts';
import { placeHomeFiles } from './home-files.ts';
import { knownPlacements } from './known-places.ts';
import { type KnownPlacements, removeLeftovers } from '../placements/leftovers.ts';
import { Placements } from '../placements/placements.ts';

export interface OutsideFilesOptions {
  /** The workload's environment without us: its HOME and state folder. */
  readonly base: Readonly<Record<string, string | undefined>>;
  readonly homeFiles: boolean;
  readonly systemStore: boolean;
  readonly connectCommand: readonly string[] | undefined;
  readonly port: number;
  readonly files: WorkloadFiles;
  readonly logger: Logger;
}

/** Where the manifests of a user are: below the state folder of the XDG base directories. */
export function placementsDirectory(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { HOME: home, XDG_STATE_HOME: state } = environment;
  if (state !== undefined && state.startsWith('/')) return join(state, 'upstreamproxy', 'placed');
  return home === undefined || home === ''
    ? undefined
    : join(home, '.local', 'state', 'upstreamproxy', 'placed');
}

/**
 * Takes away what earlier sessions have left, and places what is asked for. Disposing the result takes it away.
 * Throws config_invalid where there is no HOME or without the rights, trust_unwritable where no manifest can be kept.
 */
export async function placeOutsideFiles(options: OutsideFilesOptions): Promise<AsyncDisposable> {
  const { base, files, logger, port } = options;
  const directory = placementsDirectory(base);
  const home = base['HOME'];
  if (directory === undefined || (options.homeFiles && (home === undefined || home === '')))
    throw new ProxyError('config_invalid', 'files in HOME are asked for, and HOME is not set');
  if (options.systemStore && process.geteuid?.() !== 0)
    throw new ProxyError('config_invalid', "only root can change the system's trust store");
  await using stack = new AsyncDisposableStack();
  const known = knownPlacements({ home: home === '' ? undefined : home, root: '/' });
  // Sessions that were killed meanwhile are taken away after this one, which may be the last.
  stack.defer(async () => {
    await removeLeftovers(directory, known).catch((error: unknown) =>
      logger.warn(`${directory} is not cleaned up: ${asProxyError(error).message}`),
    );
  });
  const placements = stack.use(await openPlacements(directory, known));
  const ownCa = files.ownCa ?? files.bundle;
  if (options.homeFiles && port !== 0) {
    const { connectCommand } = options;
    await placeHomeFiles(
      {
        home: home ?? '',
        port,
        bundle: files.bundle,
        ownCa,
        connectCommand,
        knownHosts: files.knownHosts,
        logger,
      },
      placements,
    );
  }
  if (options.systemStore) await placeSystemTrust({ root: '/', ownCa, logger }, placements);
  return stack.move();
}

/** Nothing is placed that a manifest does not know, nor before what others have left is gone. Throws trust_unwritable. */
export async function openPlacements(directory: string, known: KnownPlacements): Promise<Placements> {
  try {
    await removeLeftovers(directory, known);
    return await Placements.open(directory);
  } catch (error) {
    throw new ProxyError(
      'trust_unwritable',
      `${directory} cannot be used (${asProxyError(error).message}); set XDG_STATE_HOME`,
      { cause: error },
    );
  }
}
