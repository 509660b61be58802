// A checksum database of go for tests: a tree of records, signed by a key of its own, and served as sum.golang.org serves it. It is written by
// RFC 9162 and x/mod/sumdb, and shares nothing with what is tested.

import { Buffer } from 'node:buffer';
import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => hash('sha256', Buffer.concat(parts), 'buffer');

/** `h1:` of files by name, as go.sum has it. */
export function h1Of(files: Readonly<Record<string, string | Uint8Array>>): string {
  const lines = Object.entries(files)
    .map(
      ([name, content]) =>
        [Buffer.from(name, 'latin1'), sha256(Buffer.from(content)).toString('hex')] as const,
    )
    .toSorted(([a], [b]) => Buffer.compare(a, b))
    .map(([name, hash]) => Buffer.concat([Buffer.from(`${hash}  `), name, Buffer.from('\n')]));
  return `h1:${sha256(...lines).toString('base64')}`;
}

export const goModHash = (text: string): string => h1Of({ 'go.mod': text });

export interface SignedBy {
  readonly name: string;
  readonly key: KeyObject;
  /** As go takes it. */
  readonly verifier: string;
  readonly hash: Buffer;
}

export function databaseKey(name = 'sum.test'): SignedBy {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const octets = Buffer.concat([
    Buffer.of(1),
    publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
  ]);
  const hash = sha256(Buffer.from(`${name}\n`), octets).subarray(0, 4);
  const verifier = `${name}+${hash.toString('hex')}+${octets.toString('base64')}`;
  return { name, key: privateKey, verifier, hash };
}

/** A note of that text. */
export function signedNote(text: string, { name, key, hash }: SignedBy): string {
  const signature = Buffer.concat([hash, sign(null, Buffer.from(text), key)]);
  return `${text}\n\u2014 ${name} ${signature.toString('base64')}\n`;
}

export class ChecksumTree {
  readonly by: SignedBy;
  readonly #records: string[] = [];
  readonly #places = new Map<string, number>();
  /** Of each level the hashes of what is whole. */
  readonly #levels: Buffer[][] = [];

  constructor(by: SignedBy = databaseKey()) {
    this.by = by;
  }

  get size(): number {
    return this.#records.length;
  }

  add(module: string, version: string, zip: string, mod: string): this {
    this.#places.set(`${module}@${version}`, this.size);
    const record = `${module} ${version} ${zip}\n${module} ${version}/go.mod ${mod}\n`;
    this.#records.push(record);
    let own = sha256(Buffer.of(0), Buffer.from(record));
    for (let level = 0; ; level++) {
      const row = (this.#levels[level] ??= []);
      row.push(own);
      const left = row.at(-2);
      if (row.length % 2 === 1 || left === undefined) break;
      own = sha256(Buffer.of(1), left, own);
    }
    return this;
  }

  /** Others, about which nobody asks. */
  fill(size: number): this {
    while (this.size < size) {
      const other = `h1:${this.size.toString(36).padStart(43, '0')}=`;
      this.add(`filler.test/m${String(this.size)}`, 'v1.0.0', other, other);
    }
    return this;
  }

  record(index: number): string {
    return this.#records[index] ?? '';
  }

  head(size = this.size): string {
    const root = size === 0 ? sha256() : this.root(0, size);
    return signedNote(`go.sum database tree\n${String(size)}\n${root.toString('base64')}\n`, this.by);
  }

  /** RFC 9162 §2.1.1. */
  root(from: number, to: number): Buffer {
    const level = Math.log2(to - from);
    const known = Number.isInteger(level) ? this.#levels[level]?.[from / 2 ** level] : undefined;
    if (known !== undefined) return known;
    let half = 1;
    while (half * 2 < to - from) half *= 2;
    return sha256(Buffer.of(1), this.root(from, from + half), this.root(from + half, to));
  }

  /** Undefined: it has none of that. */
  lookup(what: string, size = this.size): string | undefined {
    const index = this.#places.get(what);
    return index === undefined ? undefined : `${String(index)}\n${this.record(index)}\n${this.head(size)}`;
  }

  tile(level: number, index: number, width: number): Buffer | undefined {
    const span = 256 ** level;
    const hashes: Buffer[] = [];
    for (let i = 0; i < width; i++) {
      const from = (index * 256 + i) * span;
      if (from + span > this.size) return undefined;
      hashes.push(this.root(from, from + span));
    }
    return Buffer.concat(hashes);
  }

  /** What it serves at a path; undefined: nothing. */
  at(path: string): string | Buffer | undefined {
    if (path === '/latest') return this.head();
    const lookup = /^\/lookup\/(.+)$/.exec(path)?.[1];
    if (lookup !== undefined)
      return this.lookup(lookup.replaceAll(/!([a-z])/g, (_, letter: string) => letter.toUpperCase()));
    const [, level = '', digits = '', width = '256'] =
      /^\/tile\/8\/(\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path) ?? [];
    if (level === '') return undefined;
    return this.tile(Number(level), Number(digits.replaceAll(/[x/]/g, '')), Number(width));
  }
}
