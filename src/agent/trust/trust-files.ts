// The trust files of one session: where they are, how they are refreshed, and that nothing of them stays.

import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { removeAbandoned, writeFileAtomically } from '../../system/atomic-file.ts';
import type { WorkloadFiles } from './workload-stores.ts';
import type { Gateway } from '../uplink/gateway-connection.ts';
import type { Logger } from '../../system/logger.ts';
import { removeTree } from '../../system/remove-tree.ts';
import { makeSessionFolder, removeLeftFolders } from '../placements/session-folder.ts';
import { gitSignName, writeGitSign } from './git-sign.ts';
import { knownHostsName, writeKnownHosts } from './known-hosts.ts';
import { fetchCertificates, type GatewayCertificates, mergeBundle } from './trust.ts';
import { removeWorkloadStores, storeFileNames, writeWorkloadStores } from './workload-stores.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

export interface TrustFilesOptions {
  readonly gateway: Gateway;
  readonly limits: Limits;
  /** The system's PEM bundle, or undefined where there is none. */
  readonly system: string | undefined;
  /** Made if it is missing; without it a fresh folder below the system's temporary one. */
  readonly stateDirectory?: string;
  /** The certificates, where they are on their way already. */
  readonly first?: Promise<GatewayCertificates | undefined>;
  /** The environment that the workload would have without us: it may name files that ours take the place of. */
  readonly baseEnvironment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  /** PEM of what the workload is to trust beside the gateway's certificates. */
  readonly ownRoot?: string | undefined;
}

/** The files that the workload's environment names. `[Symbol.asyncDispose]` removes them. */
export class TrustFiles implements AsyncDisposable {
  readonly #own: Required<Pick<WorkloadFiles, 'bundle' | 'ownCa'>>;
  #stores: Partial<WorkloadFiles> = {};
  #gitSign: string | undefined;
  #knownHosts: { readonly path: string; readonly text: string } | undefined;
  #writing: Promise<boolean> | undefined;
  #disposed = false;
  #removal: Promise<void> | undefined;
  readonly #options: TrustFilesOptions;
  readonly #directory: string;
  #etag: string | undefined;

  private constructor(options: TrustFilesOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    this.#own = { bundle: join(directory, 'ca-bundle.pem'), ownCa: join(directory, 'ca.pem') };
  }

  get paths(): WorkloadFiles {
    const [known, gitSign] = [this.#knownHosts, this.#gitSign];
    return {
      ...this.#stores,
      ...this.#own,
      ...(known === undefined ? {} : { knownHosts: known.path }),
      ...(gitSign === undefined ? {} : { gitSign }),
    };
  }

  /** Fetches, checks and writes; on a fault nothing is left. Throws ca_invalid, trust_unwritable … */
  static async open(options: TrustFilesOptions): Promise<TrustFiles> {
    const files = new TrustFiles(options, await openDirectory(options.stateDirectory));
    try {
      if (options.first === undefined) await files.refresh(options.signal);
      else await files.#write(await options.first);
      return files;
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Writes all files anew if the gateway's certificates changed; says whether they did. */
  async refresh(signal?: AbortSignal): Promise<boolean> {
    const { gateway, limits } = this.#options;
    const own = await fetchCertificates(gateway, limits, {
      ...(this.#etag === undefined ? {} : { etag: this.#etag }),
      ...(signal === undefined ? {} : { signal }),
    });
    return this.#write(own);
  }

  /** Lines of known_hosts, as the gateway has them now. Once they are there, they stay, and change with it. */
  async setKnownHosts(text: string | undefined): Promise<void> {
    const known = this.#knownHosts;
    if (this.#disposed || text === known?.text || (text === undefined && known === undefined)) return;
    this.#knownHosts = {
      path: await writeKnownHosts(this.#directory, text ?? ''),
      text: text ?? '',
    };
  }

  /** The program that git signs by. It stays as it is: the environment of the workload has the same key. */
  async setGitSign(program: Parameters<typeof writeGitSign>[1]): Promise<void> {
    if (!this.#disposed) this.#gitSign = await writeGitSign(this.#directory, program);
  }

  /** One at a time, and none once they are removed. */
  async #write(own: GatewayCertificates | undefined): Promise<boolean> {
    await this.#writing;
    if (own === undefined || this.#disposed) return false;
    this.#writing = this.#writeAll(own).finally(() => (this.#writing = undefined));
    return this.#writing;
  }

  async #writeAll(own: GatewayCertificates): Promise<boolean> {
    const { system, baseEnvironment, logger, ownRoot = '' } = this.#options;
    const pem = `${own.pem}${ownRoot}`;
    const bundle = mergeBundle(system, pem);
    const contents = {
      directory: this.#directory,
      bundlePath: this.#own.bundle,
      bundle,
      own: pem,
      base: baseEnvironment,
    };
    const [stores] = await Promise.all([
      writeWorkloadStores(contents, logger),
      writeFileAtomically(this.#own.ownCa, pem, { durable: false }),
      writeFileAtomically(this.#own.bundle, bundle, { durable: false }),
    ]);
    this.#stores = stores;
    this.#etag = own.etag;
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#removal ??= this.#remove();
    return this.#removal;
  }

  async #remove(): Promise<void> {
    this.#disposed = true;
    // What is being written would be there after it was removed; that it failed is told to who began it.
    await this.#writing?.catch(() => {});
    const { logger, stateDirectory } = this.#options;
    try {
      await rm(this.#own.bundle, { force: true });
      await rm(this.#own.ownCa, { force: true });
      for (const path of [this.#knownHosts?.path, this.#gitSign])
        if (path !== undefined) await rm(path, { force: true });
      await removeWorkloadStores(this.#directory);
      // A folder that the user named is the user's.
      if (stateDirectory === undefined) await removeTree(this.#directory);
    } catch (error) {
      // They are public and in nobody's way: no reason to end in another way than the command did.
      logger.warn(`${this.#directory} stays: ${asProxyError(error).message}`);
    }
  }
}

async function openDirectory(stateDirectory: string | undefined): Promise<string> {
  try {
    if (stateDirectory !== undefined) {
      await mkdir(stateDirectory, { recursive: true, mode: 0o755 });
      await removeAbandoned(stateDirectory, [
        'ca-bundle.pem',
        'ca.pem',
        knownHostsName,
        gitSignName,
        ...storeFileNames,
      ]);
      return stateDirectory;
    }
    // What an agent that was killed has left goes at the next start.
    const [directory] = await Promise.all([makeSessionFolder(tmpdir()), removeLeftFolders(tmpdir())]);
    return directory;
  } catch (error) {
    const place =
      stateDirectory === undefined ? `a folder in ${tmpdir()}` : `the state folder ${stateDirectory}`;
    const advice = stateDirectory === undefined ? '; set TMPDIR to a folder that can be written' : '';
    throw new ProxyError('trust_unwritable', `${place} cannot be made: ${faultReason(error)}${advice}`, {
      cause: error,
    });
  }
}
