// What a checksum database of go promises of modules. Whoever passes on what it says can't change it: its head is signed, and each record is proven to be
// in that tree, and each tree to be one with those before it.

import { Buffer } from 'node:buffer';
import { goEscaped } from '../metadata-address.ts';
import { defaultLimits, type Limits } from '../../../protocol/limits.ts';
import type { TreeHeadStore } from '../../../store/tree-head-store.ts';
import { isFullTile, fullTile, hashIn, type HashTile, tileBytes, tilePath, tileWith } from './hash-tiles.ts';
import { type HashAt, recordHash, rootsOf, rootWith } from './merkle-tree.ts';
import { NewestHead } from './newest-head.ts';
import { type NoteKey, openHead, type SignedHead, type TreeHead } from './signed-note.ts';

/** Its own key, as go has it (cmd/go/internal/modfetch/key.go). */
export const publicDatabaseKey = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';

export interface ModuleVersion {
  readonly name: string;
  readonly version: string;
}

/** As `h1-` with base64, by what go.sum calls it: `MODULE VERSION`, `MODULE VERSION/go.mod`. */
export type ModuleSums = ReadonlyMap<string, string>;

/** What came from the database, or from who passes on what it says; undefined: nothing did. */
export type ReadDatabase = (
  path: string,
) => Promise<{ readonly status: number; readonly octets: Uint8Array } | undefined>;

/** Somebody changed what it says, or signed two trees. The end of a sentence: `what is said of the module` … */
export class AlteredSums extends Error {}

/** `absent`: it has none of it. `unsaid`: nobody could be asked. */
export type LookedUp = ModuleSums | 'absent' | 'unsaid';

export interface ChecksumDatabaseOptions {
  readonly key: NoteKey;
  readonly heads: TreeHeadStore;
  readonly limits: Pick<Limits, 'publishTimesAgainMs'>;
  readonly clock: () => number;
}

export class ChecksumDatabase {
  readonly #key: NoteKey;
  readonly #limits: Pick<Limits, 'publishTimesAgainMs'>;
  readonly #clock: () => number;
  /** What is proven, in the order of last use. */
  readonly #sums = new Map<string, ModuleSums>();
  readonly #tiles = new Map<string, Buffer>();
  readonly #asking = new Map<string, Promise<LookedUp>>();
  /** Until when nobody is asked again. */
  readonly #absent = new Map<string, number>();
  /** The newest that was seen, by whichever gateway of the store, of whichever registry. */
  readonly #newest: NewestHead;

  constructor({ key, heads, limits, clock }: ChecksumDatabaseOptions) {
    this.#key = key;
    this.#newest = new NewestHead(key, heads);
    this.#limits = limits;
    this.#clock = clock;
  }

  get name(): string {
    return this.#key.name;
  }

  /** What is proven already. */
  known(module: ModuleVersion): ModuleSums | undefined {
    const key = textOf(module);
    const known = this.#sums.get(key);
    if (known !== undefined) remember(this.#sums, key, known, defaultLimits.checksumRecordsMax);
    return known;
  }

  /**
   * One asks for all that wait for the same. @param place who passes on what it says, with the credentials that are put on
   * @throws AlteredSums, ProxyError store_unavailable
   */
  async lookUp(module: ModuleVersion, place: string, read: ReadDatabase): Promise<LookedUp> {
    const key = JSON.stringify([place, textOf(module)]);
    for (let tries = 0; tries < defaultLimits.packageAsksBeforeMax; tries++) {
      const known = this.known(module);
      if (known !== undefined) return known;
      if (this.#isAbsent(key)) return 'absent';
      const other = this.#asking.get(key);
      if (other === undefined) break;
      await other.catch(() => undefined);
    }
    const asking = this.#ask(module, read);
    this.#asking.set(key, asking);
    try {
      const told = await asking;
      if (told === 'absent') {
        const untilMs = this.#clock() + this.#limits.publishTimesAgainMs;
        remember(this.#absent, key, untilMs, defaultLimits.checksumRecordsMax);
      }
      return told;
    } finally {
      if (this.#asking.get(key) === asking) this.#asking.delete(key);
    }
  }

  #isAbsent(key: string): boolean {
    const untilMs = this.#absent.get(key) ?? 0;
    const leftMs = untilMs - this.#clock();
    return leftMs > 0 && leftMs <= this.#limits.publishTimesAgainMs;
  }

  async #ask(module: ModuleVersion, read: ReadDatabase): Promise<LookedUp> {
    const { name, version } = module;
    const response = await read(`/lookup/${goEscaped(name)}@${goEscaped(version)}`);
    if (response === undefined) return 'unsaid';
    // As go takes it.
    if (response.status === 404 || response.status === 410) return 'absent';
    if (response.status !== 200) return 'unsaid';
    const record = recordIn(Buffer.from(response.octets).toString('latin1'));
    // A page of something that stands between is no record, and no sign of anything else.
    if (record === undefined) return 'unsaid';
    const head = openHead(record.note, this.#key);
    if (head === undefined) throw new AlteredSums(`is not signed by ${this.name}`);
    if (record.index >= head.size) throw new AlteredSums('is in no tree that was signed');
    if (!(await this.#prove(record, head, read))) return 'unsaid';
    const sums = sumsIn(record.text.toString('latin1'), module);
    // A record about something else is one that was put in the place of this one.
    if (sums.size === 0) throw new AlteredSums('is about another module');
    remember(this.#sums, textOf(module), sums, defaultLimits.checksumRecordsMax);
    return sums;
  }

  /** Tiles have hashes that no proof went by: where known ones lead elsewhere, whoever passed them on, they are asked for again. */
  async #prove(record: ReadRecord, head: SignedHead, read: ReadDatabase): Promise<boolean> {
    const proof = new TreeProof(read, this.#tiles);
    try {
      return await this.#proveBy(proof, record, head);
    } catch (error) {
      if (!(error instanceof AlteredSums) || !proof.forgetKnown()) throw error;
      // Silence takes nothing back.
      if (await this.#proveBy(new TreeProof(read, this.#tiles, new Map()), record, head)) return true;
      throw error;
    }
  }

  async #proveBy(proof: TreeProof, record: ReadRecord, head: SignedHead): Promise<boolean> {
    const place = { index: record.index, size: head.size };
    const rootBy = (hashAt: HashAt): Buffer => rootWith(recordHash(record.text), place, hashAt);
    if (!(await proof.load(head.size, rootBy))) return false;
    if (!rootBy(proof.hashAt(head.size)).equals(head.hash))
      throw new AlteredSums('is not in the tree that was signed');
    if (!(await this.#follow(head, proof))) return false;
    proof.keep();
    return true;
  }

  /** That the tree is one with the newest that is known. Others may know a newer one meanwhile. */
  async #follow(head: SignedHead, proof: TreeProof): Promise<boolean> {
    for (let tries = 0; tries < defaultLimits.checksumHeadTriesMax; tries++) {
      const known = await this.#newest.read();
      if (known !== undefined && !(await areOne(known, head, proof))) return false;
      if (await this.#newest.advance(known, head)) return true;
    }
    return false;
  }
}

/** Undefined: nobody says enough of it. @throws AlteredSums where they are not */
async function areOne(one: TreeHead, other: TreeHead, proof: TreeProof): Promise<boolean> {
  const [older, newer] = one.size < other.size ? [one, other] : [other, one];
  if (older.size === 0) return true;
  const sizes = { older: older.size, newer: newer.size };
  if (!(await proof.load(newer.size, (hashAt) => rootsOf(sizes, hashAt)))) return false;
  const roots = rootsOf(sizes, proof.hashAt(newer.size));
  if (!roots.older.equals(older.hash) || !roots.newer.equals(newer.hash))
    throw new AlteredSums('is in another tree than was signed before');
  return true;
}

/** Tiles that a proof needs. They prove nothing by themselves: what follows from them has to be what was signed. */
class TreeProof {
  readonly #read: ReadDatabase;
  readonly #kept: Map<string, Buffer>;
  readonly #known: Map<string, Buffer>;
  /** Of the known ones. */
  readonly #used = new Set<string>();
  readonly #fresh = new Map<string, Buffer>();

  /** @param kept where tiles go once a proof held @param known those that are not asked for */
  constructor(read: ReadDatabase, kept: Map<string, Buffer>, known = kept) {
    this.#read = read;
    this.#kept = kept;
    this.#known = known;
  }

  /** All that the walk through a tree of that size asks for. Gives whether that came. */
  async load(size: number, walk: (hashAt: HashAt) => unknown): Promise<boolean> {
    const wanted = new Map<string, HashTile>();
    walk((level, index) => {
      const { tile } = tileWith(level, index, size);
      if (this.#octetsOf(tile) === undefined) wanted.set(tilePath(tile), tile);
      return nothing;
    });
    const came = await Promise.all([...wanted.values()].map((tile) => this.#load(tile)));
    return came.every((isThere) => isThere);
  }

  hashAt(size: number): HashAt {
    return (level, index) => {
      const { tile, from, count } = tileWith(level, index, size);
      return hashIn(this.#octetsOf(tile) ?? nothing, from, count);
    };
  }

  /** What was read led to what was signed. */
  keep(): void {
    for (const [path, octets] of this.#fresh)
      remember(this.#kept, path, octets, defaultLimits.checksumTilesMax);
  }

  /** Gives whether there were any. */
  forgetKnown(): boolean {
    for (const path of this.#used) this.#kept.delete(path);
    return this.#used.size > 0;
  }

  #octetsOf(tile: HashTile): Buffer | undefined {
    const [own, full] = [tilePath(tile), tilePath(fullTile(tile))];
    for (const path of [own, full]) {
      const fresh = this.#fresh.get(path);
      if (fresh !== undefined) return fresh;
      const known = this.#known.get(path);
      if (known === undefined) continue;
      this.#used.add(path);
      return known;
    }
    return undefined;
  }

  /** One that was in part is whole where the tree has grown since. */
  async #load(tile: HashTile): Promise<boolean> {
    for (const one of isFullTile(tile) ? [tile] : [tile, fullTile(tile)]) {
      const path = tilePath(one);
      const response = await this.#read(path);
      if (response === undefined) return false;
      if (response.status !== 200) continue;
      if (response.octets.length !== tileBytes(one)) return false;
      this.#fresh.set(path, Buffer.from(response.octets));
      return true;
    }
    return false;
  }
}

const nothing = Buffer.alloc(32);

interface ReadRecord {
  readonly index: number;
  /** That is in the tree. */
  readonly text: Buffer;
  readonly note: string;
}

/** Its number, the lines of go.sum, and the head of a tree with it. */
function recordIn(said: string): ReadRecord | undefined {
  const [, number = '', rest = ''] = /^(0|[1-9]\d{0,14})\n([\s\S]*)$/.exec(said) ?? [];
  const at = rest.indexOf('\n\n');
  if (number === '' || at <= 0) return undefined;
  return {
    index: Number(number),
    text: Buffer.from(rest.slice(0, at + 1), 'latin1'),
    note: rest.slice(at + 2),
  };
}

/** Those of the module, of which there is one each. */
function sumsIn(text: string, { name, version }: ModuleVersion): ModuleSums {
  const sums = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, what = '', hash = ''] = /^(\S+ \S+) h1:([A-Za-z0-9+/]{43}=)$/.exec(line) ?? [];
    const isOwn = what === `${name} ${version}` || what === `${name} ${version}/go.mod`;
    if (!isOwn) continue;
    if (sums.has(what)) return new Map();
    sums.set(what, `h1-${hash}`);
  }
  return sums;
}

const textOf = ({ name, version }: ModuleVersion): string => `${name} ${version}`;

function remember<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  map.set(key, value);
  for (const [oldest] of map) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
