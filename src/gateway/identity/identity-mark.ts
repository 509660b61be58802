// Which version of which identity this gateway has had, in its state folder: a store that went back, or was exchanged, is seen also by a
// gateway that starts.

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { faultReason } from '../../protocol/fault-reason.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { unusable } from './sealed-identity.ts';

export interface IdentityVersion {
  readonly id: string;
  readonly version: number;
}

const markSchema = z.strictObject({ id: z.string().regex(/^[0-9a-f]{32}$/), version: z.int().min(1) });

export class IdentityMark {
  readonly #directory: string;
  readonly #path: string;

  constructor(stateDirectory: string) {
    this.#directory = stateDirectory;
    this.#path = join(stateDirectory, 'identity-seen.json');
  }

  /** Undefined where this gateway has had none yet. Throws `identity_unusable`. */
  async read(): Promise<IdentityVersion | undefined> {
    try {
      return markSchema.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw unusable(
        `${this.#path} cannot be read: ${faultReason(error)}; restore it, or remove it to take what the store has`,
        error,
      );
    }
  }

  /** Throws `identity_unusable` where the store has an earlier one than this gateway has had, or another, or none. */
  async require(found: IdentityVersion | undefined): Promise<void> {
    const had = await this.read();
    if (had === undefined) return;
    const reason = wentBack(had, found);
    if (reason !== undefined)
      throw unusable(
        `${reason}: restore the newer store, or remove ${this.#path} to take what the store has`,
      );
  }

  async write({ id, version }: IdentityVersion): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomically(this.#path, `${JSON.stringify({ id, version })}\n`, { mode: 0o600 });
  }
}

/** Why what was found cannot follow what was there before; undefined where it can. */
export function wentBack(had: IdentityVersion, found: IdentityVersion | undefined): string | undefined {
  if (found === undefined)
    return `the store has no identity, and this gateway has had version ${had.version} of one from it`;
  if (found.id !== had.id)
    return 'the store has another identity than the one that this gateway has had from it';
  if (found.version < had.version)
    return `the identity in the store is version ${found.version}, and this gateway has had version ${had.version}`;
  return undefined;
}
