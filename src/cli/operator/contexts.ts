// Admin APIs that somebody logged in to, by name: in a file of theirs alone, for it holds tokens.

import { chmod, lstat, mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';

export const contextNamePattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;
const contextsMax = 100;

export interface Context {
  readonly name: string;
  /** Origin of the admin port. */
  readonly server: string;
  /** PEM that it is verified against; what this machine trusts by default. */
  readonly ca?: string | undefined;
  readonly token: string;
}

export interface Contexts {
  /** Which one counts where none is named. */
  readonly current?: string | undefined;
  readonly contexts: readonly Context[];
}

/** Always below the home: there the jail of `run` hides it. */
export function contextsPath(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment['HOME'] ?? homedir(), '.config', 'upstreamproxy', 'contexts.json');
}

/** None where there is no file. @throws ProxyError config_invalid */
export async function readContexts(path: string): Promise<Contexts> {
  try {
    const { mode, uid } = await lstat(path).then((found) => {
      if (!found.isFile()) throw unusable(path, 'it is no file');
      return found;
    });
    if ((mode & 0o077) !== 0)
      throw unusable(path, 'others may read it, and it holds tokens; chmod 600 it, and have them revoked');
    if (uid !== (process.geteuid?.() ?? uid)) throw unusable(path, 'it is of another user');
    const read = contextsOf(JSON.parse(await readFile(path, 'utf8')));
    if (read !== undefined) return read;
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { contexts: [] };
    if (!(error instanceof SyntaxError)) throw unusable(path, faultReason(error), error);
  }
  throw unusable(path, 'it is none of this program; remove it, and log in again');
}

/** Undefined for what `writeContexts` did not write. */
function contextsOf(value: unknown): Contexts | undefined {
  if (!isObject(value) || value['version'] !== 1) return undefined;
  const { current, contexts } = value;
  if (!Array.isArray(contexts) || contexts.length > contextsMax || !contexts.every(isContext))
    return undefined;
  if (current === undefined) return { contexts };
  return typeof current === 'string' ? { contexts, current } : undefined;
}

function isContext(value: unknown): value is Context {
  if (!isObject(value)) return false;
  const { name, server, ca, token } = value;
  const isNamed = typeof name === 'string' && contextNamePattern.test(name);
  const hasTexts = typeof server === 'string' && typeof token === 'string';
  return isNamed && hasTexts && (ca === undefined || typeof ca === 'string');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** In a folder and a file that are nobody else's. @throws ProxyError config_invalid */
export async function writeContexts(path: string, { current, contexts }: Contexts): Promise<void> {
  if (contexts.length > contextsMax) throw unusable(path, `it has ${contextsMax} contexts; remove some`);
  try {
    const folder = dirname(path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    const text = JSON.stringify({ version: 1, current, contexts }, undefined, 2);
    await writeFileAtomically(path, `${text}\n`, { mode: 0o600 });
  } catch (error) {
    throw unusable(path, error instanceof ProxyError ? error.message : faultReason(error), error);
  }
}

/** @throws ProxyError usage */
export function contextOf({ contexts }: Contexts, name: string): Context {
  const found = contexts.find((one) => one.name === name);
  if (found === undefined)
    throw new ProxyError(
      'usage',
      `there is no context of that name; "upstreamproxy context list" has those that are kept`,
    );
  return found;
}

function unusable(path: string, why: string, cause?: unknown): ProxyError {
  return new ProxyError('config_invalid', `${path}: ${why}`, { cause });
}
