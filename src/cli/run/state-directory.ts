// Where the gateway of one `run` keeps its state.

import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { isMarkAlive, processMark } from '../../agent/kernel/process-mark.ts';
import { removeTree } from '../../system/remove-tree.ts';
import { ProxyError } from '../../protocol/error.ts';

/** Runs whose audit is kept; older ones are removed. */
const runsKept = 20;

/** The folder of this user's state: `$XDG_STATE_HOME/upstreamproxy`, by default below `~/.local/state`. */
export function stateHome(environment: Readonly<Record<string, string | undefined>>): string {
  // The XDG base directory specification says that a relative path is to be ignored.
  const xdg = environment['XDG_STATE_HOME'];
  const base =
    xdg !== undefined && isAbsolute(xdg) ? xdg : join(environment['HOME'] ?? homedir(), '.local', 'state');
  return join(base, 'upstreamproxy');
}

/**
 * Makes a fresh folder for one run below `home`, mode 0700, and removes those of runs long past that have ended. `mark` says
 * by which process it goes on; empty: by none that can be known.
 */
export async function makeRunDirectory(
  home: string,
  nowMs: number,
  mark: string = processMark() ?? '',
): Promise<string> {
  const runs = join(home, 'runs');
  await makePrivateDirectory(runs);
  const earlier = (await readdir(runs)).sort();
  const old = earlier.slice(0, Math.max(0, earlier.length - runsKept + 1));
  for (const name of old.filter((candidate) => !goesOn(candidate))) await removeTree(join(runs, name));
  const stamp = new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-');
  const end = randomBytes(4).toString('hex');
  const path = join(runs, [stamp, mark, end].filter((part) => part !== '').join('-'));
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** A run can outlive twenty others, and needs its audit to the end. */
function goesOn(name: string): boolean {
  const [time = '', ...mark] = name.split('-').slice(-5);
  const unique = mark.pop() ?? '';
  return (
    mark.length === 3 &&
    time.endsWith('Z') &&
    isShortHash(unique) &&
    isMark(mark) &&
    isMarkAlive(mark.join('-'))
  );
}

function isMark([hash = '', ...numbers]: readonly string[]): boolean {
  return isShortHash(hash) && numbers.every((number) => /^\d+$/.test(number));
}

function isShortHash(text: string): boolean {
  return /^[0-9a-f]{8}$/.test(text);
}

/** Removes keys and certificates of a run that is over; the audit, its store and the log stay. */
export async function keepAuditOnly(directory: string): Promise<void> {
  const kept = /^(?:audit\.jsonl|gateway\.log|state\.db.*)$/;
  for (const name of await readdir(directory)) {
    if (!kept.test(name)) await removeTree(join(directory, name));
  }
}

async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const status = await lstat(path);
    if (!status.isDirectory() || status.uid !== process.geteuid?.()) {
      throw new ProxyError(
        'config_invalid',
        `${path} is not a folder of this user; set XDG_STATE_HOME to one that is`,
      );
    }
    await chmod(path, 0o700);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw new ProxyError(
      'config_invalid',
      `cannot make ${path}; set XDG_STATE_HOME to a folder that can be written`,
      {
        cause: error,
      },
    );
  }
}
