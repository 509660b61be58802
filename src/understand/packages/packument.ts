// What npm's registry tells of a package (a packument), read as it comes: where each version stands in its octets, which tags there are, and
// when versions came out. Nothing of a version is kept but its name and its place.

import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { UnreadableBody } from '../json-value.ts';
import { timeOf } from './publish-time.ts';
import { digestOfHex, strongestDigest } from './promised-digest.ts';

/** A member of an object with its name, from the first octet of the name up to the comma or the bracket behind its value. */
export interface Member {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** What its archive is promised to be, as `sha512-…` with base64. */
  readonly digest?: string;
  /** Attestations of it are named. */
  readonly isAttested?: true;
  /** Clients run something of it when they install it. */
  readonly hasInstallScript?: true;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Packument {
  readonly versions: readonly Member[];
  /** From the bracket that opens the versions up to the one that closes them; undefined: there are none. */
  readonly versionsAt: Span | undefined;
  readonly tags: ReadonlyMap<string, string>;
  readonly tagsAt: Span | undefined;
  /** Of versions, in milliseconds; without those that nobody can read. */
  readonly times: ReadonlyMap<string, number>;
}

export interface PackumentBounds {
  readonly versionsMax: number;
  readonly depthMax: number;
}

const names = ['versions', 'dist-tags', 'time'] as const;
type Part = (typeof names)[number];
const isPart = (name: string): name is Part => names.some((one) => one === name);

/** What is looked at of `dist`. */
interface Dist {
  readonly integrity?: string;
  readonly shasum?: string;
  readonly isAttested?: boolean;
}
/** Objects within a version whose members are looked at. */
type Within = 'dist' | 'scripts';
/** Members that say in one word that something runs; the abbreviated form has the first one in place of `scripts`. */
const flags: ReadonlySet<string> = new Set(['hasInstallScript', 'gypfile']);
const installScripts: ReadonlySet<string> = new Set(['preinstall', 'install', 'postinstall']);
const lengthsOf = (...names: readonly string[]): ReadonlySet<number> =>
  new Set(names.map(({ length }) => length));
const versionLengths = lengthsOf('dist', 'scripts', ...flags);
const memberLengths: Readonly<Record<Within, ReadonlySet<number>>> = {
  dist: lengthsOf('integrity', 'shasum', 'attestations'),
  scripts: lengthsOf(...installScripts),
};
const letterT = 0x74;

/** Members of `dist` of which the text is read. */
const hasText: ReadonlySet<string | undefined> = new Set(['integrity', 'shasum']);

/** A name of a version or of a member is shorter. */
const nameBytesMax = 1024;
/** Times and tags as text. */
const partBytesMax = 8 * 1024 * 1024;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openObject, closeObject, openList, closeList] = [0x7b, 0x7d, 0x5b, 0x5d];
const isBlank = (octet: number): boolean =>
  octet === 0x20 || octet === 0x0a || octet === 0x0d || octet === 0x09;

/** Takes the octets in pieces of any size. */
export class PackumentReader {
  readonly #bounds: PackumentBounds;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** Octets before this piece. */
  #before = 0;
  /** Of each bracket that is open: whether it is that of an object. */
  readonly #open: boolean[] = [];
  #isOver = false;
  #isInString = false;
  #isEscaped = false;
  /** In an object that is looked at, a name comes next. */
  #awaitsName = false;
  /** The name that is being read, and where it began. */
  #name: number[] | undefined;
  #nameAt = 0;
  /** The version that is open. */
  #inner: { readonly name: string; readonly start: number } | undefined;
  /** Of that version: which of its objects is open, the member of `dist` that is, and what was read of it. */
  #within: Within | undefined;
  /** Its member that is open says that something runs, if it is true. */
  #isFlag = false;
  #hasInstallScript = false;
  #distMember: 'integrity' | 'shasum' | 'attestations' | undefined;
  #dist: Dist = {};
  /** What is being read is the value of that member, and no name. */
  #isValue = false;
  #part: Part | undefined;
  #partAt = 0;
  #text: GatheredOctets | undefined;
  readonly #spans = new Map<Part, Span>();
  readonly #texts = new Map<Part, Uint8Array>();
  readonly #versions: Member[] = [];
  #problem: string | undefined;

  constructor(bounds: PackumentBounds) {
    this.#bounds = bounds;
  }

  push(piece: Uint8Array): void {
    // What is kept as text is copied by whole pieces of it, not by octets.
    let from = this.#text === undefined ? -1 : 0;
    for (let at = 0; at < piece.length && this.#problem === undefined; at++) {
      if (this.#isInString) {
        at = this.#inString(piece, at);
        continue;
      }
      if (!this.#isLookedAt && this.#open.length > 1) {
        at = this.#skip(piece, at);
        if (at >= piece.length) break;
      }
      const had = this.#text;
      this.#outside(piece[at] ?? 0, this.#before + at);
      if (had === this.#text) continue;
      if (had !== undefined) had.push(piece.subarray(from, at + 1));
      this.#takeText(had);
      from = this.#text === undefined ? -1 : at;
    }
    if (this.#text !== undefined && from >= 0) this.#text.push(piece.subarray(from));
    if ((this.#text?.length ?? 0) > partBytesMax) this.#fail('has too long a list of times or tags');
    this.#before += piece.length;
  }

  /** What was read, or why it could not be. */
  end(): Packument | UnreadableBody {
    if (this.#problem === undefined && !this.#isOver) this.#fail('is not whole');
    const tags = this.#textsOf('dist-tags');
    const { versionsMax } = this.#bounds;
    if (tags.size > versionsMax) this.#fail(`has more than ${String(versionsMax)} tags (packageVersionsMax)`);
    const written = this.#textsOf('time');
    if (this.#problem !== undefined) return new UnreadableBody(this.#problem);
    const times = new Map<string, number>();
    for (const [name, text] of written) {
      const ms = timeOf(text);
      if (ms !== undefined) times.set(name, ms);
    }
    const versionsAt = this.#spans.get('versions');
    return { versions: this.#versions, versionsAt, tags, tagsAt: this.#spans.get('dist-tags'), times };
  }

  /** Up to the end of the string, or of the piece; gives the last octet that it took. */
  #inString(piece: Uint8Array, from: number): number {
    const { length } = piece;
    let at = from;
    let isEscaped = this.#isEscaped;
    for (; at < length; at++) {
      const octet = piece[at];
      if (isEscaped) isEscaped = false;
      else if (octet === backslash) isEscaped = true;
      else if (octet === quote) break;
    }
    this.#isEscaped = isEscaped;
    if (this.#name !== undefined) this.#keepName(piece, from, at);
    if (at < length) {
      this.#isInString = false;
      if (this.#name !== undefined) this.#nameEnded();
    }
    return at;
  }

  /** Through what nobody looks at, in one go; gives the first octet that has to be looked at. */
  #skip(piece: Uint8Array, from: number): number {
    const { length } = piece;
    let at = from;
    for (; at < length; at++) {
      const octet = piece[at];
      if (octet === quote) {
        this.#isInString = true;
        at = this.#inString(piece, at + 1);
        if (at === length) break;
      } else if (octet === openObject || octet === openList || octet === closeObject || octet === closeList)
        break;
    }
    return at;
  }

  #keepName(piece: Uint8Array, from: number, to: number): void {
    if (this.#name === undefined) return;
    if (this.#name.length + to - from <= nameBytesMax) this.#name.push(...piece.subarray(from, to));
    else if (this.#open.length < 3) this.#fail('has too long a name');
    // Nothing that is looked for within a version is so long.
    else this.#forgetName();
  }

  #forgetName(): void {
    this.#name = undefined;
    this.#isValue = false;
  }

  #nameEnded(): void {
    const octets = Uint8Array.from(this.#name ?? []);
    const isValue = this.#isValue;
    this.#forgetName();
    if (this.#open.length > 2) {
      this.#withinVersion(octets, isValue);
      return;
    }
    const name = this.#decode(octets);
    if (name === undefined) return;
    if (this.#open.length === 1) this.#rootMember(name);
    else {
      this.#inner = { name, start: this.#nameAt };
      this.#dist = {};
      this.#hasInstallScript = false;
    }
  }

  /** A member of a version or of its `dist`, or the value of the latter: of several of one name the last counts, as for clients. */
  #withinVersion(octets: Uint8Array, isValue: boolean): void {
    // There are dozens of members in each of thousands of versions: few are of a length that is looked for.
    const lengths = this.#within === undefined ? versionLengths : memberLengths[this.#within];
    if (!isValue && !lengths.has(octets.length) && !octets.includes(backslash)) return;
    const text = this.#decode(octets);
    if (text === undefined) return;
    if (isValue && this.#distMember !== undefined) this.#dist = { ...this.#dist, [this.#distMember]: text };
    else if (this.#open.length === 3) {
      this.#within = text === 'dist' || text === 'scripts' ? text : undefined;
      this.#isFlag = flags.has(text);
    } else if (this.#within === 'scripts') this.#hasInstallScript ||= installScripts.has(text);
    else {
      this.#distMember =
        text === 'integrity' || text === 'shasum' || text === 'attestations' ? text : undefined;
      if (text === 'attestations') this.#dist = { ...this.#dist, isAttested: false };
    }
  }

  #decode(octets: Uint8Array): string | undefined {
    try {
      const text: unknown = JSON.parse(`"${this.#decoder.decode(octets)}"`);
      if (typeof text === 'string') return text;
    } catch {
      this.#fail('has a name that is no text');
    }
    return undefined;
  }

  /** A second member of a name that counts would be the one that some parsers take. */
  #rootMember(name: string): void {
    this.#part = isPart(name) ? name : undefined;
    if (this.#part !== undefined && this.#spans.has(this.#part)) this.#fail(`says "${name}" twice`);
  }

  #outside(octet: number, at: number): void {
    if (isBlank(octet)) return;
    if (this.#isOver) this.#fail('goes on behind its end');
    else if (this.#open.length === 0 && octet !== openObject) this.#fail('is no object of JSON');
    else if (octet === quote) this.#stringBegins(at);
    else if (octet === openObject || octet === openList) this.#opened(octet === openObject, at);
    else if (octet === closeObject || octet === closeList) this.#closed(octet === closeObject, at);
    else if (octet === comma) this.#memberEnded(at);
    else if (octet !== colon && this.#awaitsName) this.#fail('is not JSON');
    else if (octet === letterT && this.#isFlag && this.#open.length === 3) this.#hasInstallScript = true;
    else if (octet !== colon && this.#open.length === 1 && this.#part !== undefined)
      this.#fail(`has a "${this.#part}" that is no object`);
  }

  #stringBegins(at: number): void {
    this.#isInString = true;
    if (this.#awaitsName) {
      this.#awaitsName = false;
      this.#name = [];
      this.#nameAt = at;
    } else if (this.#open.length === 1 && this.#part !== undefined)
      this.#fail(`has a "${this.#part}" that is no object`);
    else if (this.#open.length === 4 && this.#isLookedAt && hasText.has(this.#distMember)) {
      this.#name = [];
      this.#isValue = true;
    }
  }

  /** Whether names are read of the object that is open: of the document, of `versions`, of a version, and of its `dist`. */
  get #isLookedAt(): boolean {
    const { length } = this.#open;
    if (length === 1) return true;
    if (this.#part !== 'versions') return false;
    return (
      length === 2 ||
      (this.#open.at(-1) === true && (length === 3 || (length === 4 && this.#within !== undefined)))
    );
  }

  #opened(isObject: boolean, at: number): void {
    if (this.#awaitsName) return this.#fail('is not JSON');
    if (this.#open.length >= this.#bounds.depthMax)
      return this.#fail('has too many brackets inside each other');
    this.#open.push(isObject);
    if (isObject && this.#open.length === 5 && this.#within === 'dist' && this.#distMember === 'attestations')
      this.#dist = { ...this.#dist, isAttested: true };
    if (this.#open.length === 2 && this.#part !== undefined) {
      if (!isObject) return this.#fail(`has a "${this.#part}" that is no object`);
      this.#partAt = at;
      if (this.#part !== 'versions') this.#text = new GatheredOctets();
    }
    this.#awaitsName = isObject && this.#isLookedAt;
  }

  #closed(isObject: boolean, at: number): void {
    if (this.#open.at(-1) !== isObject) return this.#fail('has brackets that do not fit');
    if (this.#isLookedAt) this.#memberEnded(at);
    this.#awaitsName = false;
    if (this.#open.length === 2 && this.#part !== undefined) {
      this.#spans.set(this.#part, { start: this.#partAt, end: at + 1 });
      this.#text = undefined;
    }
    this.#open.pop();
    this.#isOver = this.#open.length === 0;
  }

  #memberEnded(at: number): void {
    if (!this.#isLookedAt) return;
    this.#awaitsName = true;
    if (this.#open.length === 1) this.#part = undefined;
    else if (this.#open.length === 2) this.#versionEnded(at);
    else if (this.#open.length === 3) [this.#within, this.#isFlag] = [undefined, false];
    else this.#distMember = undefined;
  }

  #versionEnded(at: number): void {
    if (this.#inner === undefined) return;
    if (this.#versions.length >= this.#bounds.versionsMax)
      return this.#fail(
        `tells of more than ${String(this.#bounds.versionsMax)} versions (packageVersionsMax)`,
      );
    const { integrity, shasum, isAttested } = this.#dist;
    const digest = strongestDigest(integrity ?? '') ?? digestOfHex('sha1', shasum ?? '');
    const runs = this.#hasInstallScript ? { hasInstallScript: true as const } : {};
    this.#versions.push({
      ...this.#inner,
      end: at,
      ...(digest === undefined ? {} : { digest }),
      ...runs,
      ...(isAttested === true ? { isAttested } : {}),
    });
    this.#inner = undefined;
  }

  #takeText(ended: GatheredOctets | undefined): void {
    if (ended !== undefined && this.#part !== undefined) this.#texts.set(this.#part, ended.take());
  }

  /** Members with text; others say nothing. */
  #textsOf(part: Part): ReadonlyMap<string, string> {
    const octets = this.#texts.get(part);
    if (octets === undefined || this.#problem !== undefined) return new Map();
    try {
      const value: unknown = JSON.parse(this.#decoder.decode(octets));
      const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
      return new Map(
        entries.flatMap(([name, text]) => (typeof text === 'string' ? [[name, text] as const] : [])),
      );
    } catch {
      this.#fail(`has a "${part}" that is not JSON`);
      return new Map();
    }
  }

  #fail(problem: string): void {
    this.#problem ??= problem;
  }
}
