// The trust files of one session: where they are, how they are refreshed, and that nothing of them stays.

import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { writeFileAtomically } from './atomic-file.ts';
import type { WorkloadFiles } from './environment.ts';
import type { Gateway } from './gateway-connection.ts';
import { fetchCertificates, type GatewayCertificates, mergeBundle } from './trust.ts';

export interface TrustFilesOptions {
  readonly gateway: Gateway;
  readonly limits: Limits;
  /** The system's PEM bundle, or undefined where there is none. */
  readonly system: string | undefined;
  /** Made if it is missing; without it a fresh folder below the system's temporary one. */
  readonly stateDirectory?: string;
  /** The certificates, where they are on their way already. */
  readonly first?: Promise<GatewayCertificates | undefined>;
  readonly signal?: AbortSignal;
}

/** The files that the workload's environment names. `[Symbol.asyncDispose]` removes them. */
export class TrustFiles implements AsyncDisposable {
  readonly paths: Required<Pick<WorkloadFiles, 'bundle' | 'ownCa'>>;
  readonly #options: TrustFilesOptions;
  readonly #directory: string;
  #etag: string | undefined;

  private constructor(options: TrustFilesOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    this.paths = { bundle: join(directory, 'ca-bundle.pem'), ownCa: join(directory, 'ca.pem') };
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

  /** Writes both files anew if the gateway's certificates changed; says whether they did. */
  async refresh(signal?: AbortSignal): Promise<boolean> {
    const { gateway, limits } = this.#options;
    const own = await fetchCertificates(gateway, limits, {
      ...(this.#etag === undefined ? {} : { etag: this.#etag }),
      ...(signal === undefined ? {} : { signal }),
    });
    return this.#write(own);
  }

  async #write(own: GatewayCertificates | undefined): Promise<boolean> {
    const { system } = this.#options;
    if (own === undefined) return false;
    await writeFileAtomically(this.paths.ownCa, own.pem);
    await writeFileAtomically(this.paths.bundle, mergeBundle(system, own.pem));
    this.#etag = own.etag;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.paths.bundle, { force: true });
    await rm(this.paths.ownCa, { force: true });
    // A folder that the user named is the user's.
    if (this.#options.stateDirectory === undefined)
      await rm(this.#directory, { force: true, recursive: true });
  }
}

async function openDirectory(stateDirectory: string | undefined): Promise<string> {
  try {
    if (stateDirectory !== undefined) {
      await mkdir(stateDirectory, { recursive: true, mode: 0o755 });
      return stateDirectory;
    }
    const directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-'));
    // The certificates are public and the workload may be another user; nobody else may write here.
    await chmod(directory, 0o755);
    return directory;
  } catch (error) {
    throw new ProxyError(
      'trust_unwritable',
      `the state folder ${stateDirectory ?? tmpdir()} cannot be made`,
      {
        cause: error,
      },
    );
  }
}
