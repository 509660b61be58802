// The names that operators write into hosts(5): read here, since DNS queries do not know the file.

import { readFile, stat } from 'node:fs/promises';
import { canonicalAddress } from '../http/ip-address.ts';

/** The file's time of change is looked at this often at most. */
const checkIntervalMs = 1000;

/** The entries of a file, kept until the file's time of change differs. A missing file has none; one that cannot be read keeps them. */
export class HostsFile {
  readonly #path: string;
  readonly #clock: () => number;
  #entries: ReadonlyMap<string, readonly string[]> = new Map();
  #version = '';
  #checkedMs = -Infinity;
  #refreshing: Promise<void> | undefined;

  constructor(path: string, clock: () => number) {
    this.#path = path;
    this.#clock = clock;
  }

  async lookup(host: string): Promise<readonly string[] | undefined> {
    if (this.#clock() - this.#checkedMs >= checkIntervalMs) {
      this.#checkedMs = this.#clock();
      this.#refreshing ??= this.#refresh();
    }
    // Whoever comes while it is read waits too: before, there are no entries at all.
    await this.#refreshing;
    return this.#entries.get(host);
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const version = `${ino}:${size}:${mtimeMs}`;
      if (version === this.#version) return;
      this.#entries = parseHosts(await readFile(this.#path, 'utf8'));
      this.#version = version;
    } catch (error) {
      // Out of descriptors, for example: names that the operator fixed must not resolve otherwise because of that.
      if (!isMissing(error)) return;
      this.#entries = new Map();
      this.#version = '';
    } finally {
      this.#refreshing = undefined;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** Address, white space, names; `#` begins a comment. Names get their addresses in the order of the file. */
function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const entries = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    const canonical = canonicalAddress(address);
    if (canonical === undefined) continue;
    for (const name of names) {
      const key = name.toLowerCase().replace(/\.$/, '');
      const known = entries.get(key) ?? [];
      if (!known.includes(canonical)) known.push(canonical);
      entries.set(key, known);
    }
  }
  return entries;
}
