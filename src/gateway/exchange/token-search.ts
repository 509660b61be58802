// Looks through a document, piece by piece and however long it is, for members that hand out a token. Memory and work for each octet are
// bounded; what follows the first document (lines of JSON) and stands before it is looked through too.

import { Buffer } from 'node:buffer';

/** Names of members, in lower case, without what joins words. */
const tokenMember =
  /^(?:(?:access|refresh|id|identity|session|security|auth|authentication|private|personalaccess|api|bearer|registry|csrf|job|deploy)?token|jwt|apikey|secret|clientsecret|secretaccesskey|password)$/;
/** Members in which documents hold what they are about. */
const wrappers: ReadonlySet<string> = new Set([
  'data',
  'result',
  'objects',
  'credentials',
  'auth',
  'response',
]);
const tags = ['<SecretAccessKey>', '<SessionToken>', '<AccessToken>'].map((tag) => Buffer.from(tag));
const longestTag = Math.max(...tags.map(({ length }) => length));
/** A longer name is none that hands out a token: each octet could be an escape of six. */
const nameOctets = 6 * 64;
/** Below it nothing is about the request. */
const deepest = 3;

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [objectStart, objectEnd, listStart, listEnd] = [0x7b, 0x7d, 0x5b, 0x5d];

export function isTokenName(name: string): boolean {
  return tokenMember.test(name.toLowerCase().replaceAll(/[_.-]/g, ''));
}

interface Container {
  readonly isObject: boolean;
  readonly depth: number;
}

type InString = 'name' | 'value' | 'token';

/** `push` says whether a token is handed out in what came so far; once it is, nothing of that piece may pass. */
export class TokenSearch {
  /** Those whose members are looked at; what is deeper, or in another member, is counted alone. */
  readonly #open: Container[] = [];
  #unseenDepth = 0;
  #string: InString | undefined;
  #isEscaped = false;
  /** Of the string that stands open, where it is a name. */
  #name: number[] = [];
  /** Of the member whose value comes. */
  #member: string | undefined;
  #end = Buffer.alloc(0);
  #isDocument: boolean | undefined;

  /** `isJson`: said to be; else it has to begin as a document does, for a text may speak of tokens. */
  constructor(isJson: boolean) {
    if (isJson) this.#isDocument = true;
  }

  push(piece: Uint8Array): boolean {
    for (const octet of piece) {
      this.#isDocument ??= beginsDocument(octet);
      if (this.#isDocument === false) break;
      if (this.#take(octet)) return true;
    }
    return this.#hasTag(piece);
  }

  #hasTag(piece: Uint8Array): boolean {
    const text = Buffer.concat([this.#end, piece]);
    this.#end = Buffer.from(text.subarray(Math.max(0, text.length - longestTag + 1)));
    return tags.some((tag) => text.includes(tag));
  }

  #take(octet: number): boolean {
    if (this.#string !== undefined) return this.#takeOfString(this.#string, octet);
    switch (octet) {
      case quote:
        this.#string = this.#stringHere();
        this.#name = [];
        break;
      case objectStart:
      case listStart:
        this.#enter(octet === objectStart);
        break;
      case objectEnd:
      case listEnd:
        this.#leave();
        break;
      case comma:
        if (this.#unseenDepth === 0) this.#member = undefined;
        break;
      default:
    }
    return false;
  }

  /** Names stand where no member waits for its value. */
  #stringHere(): InString {
    const within = this.#open.at(-1);
    if (this.#unseenDepth > 0 || within?.isObject !== true) return 'value';
    if (this.#member === undefined) return 'name';
    return isTokenName(this.#member) ? 'token' : 'value';
  }

  #takeOfString(kind: InString, octet: number): boolean {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (octet === backslash) this.#isEscaped = true;
    else if (octet === quote) {
      this.#string = undefined;
      if (kind === 'name') this.#member = textOf(this.#name);
      return false;
    }
    // An empty one is none.
    if (kind === 'token') return true;
    if (kind === 'name' && this.#name.length <= nameOctets) this.#name.push(octet);
    return false;
  }

  #enter(isObject: boolean): void {
    const within = this.#open.at(-1);
    const depth = within === undefined ? 0 : within.depth + 1;
    const isAbout =
      within === undefined ||
      (depth <= deepest && (!within.isObject || wrappers.has((this.#member ?? '').toLowerCase())));
    if (this.#unseenDepth > 0 || !isAbout) this.#unseenDepth += 1;
    else {
      this.#open.push({ isObject, depth });
      this.#member = undefined;
    }
  }

  #leave(): void {
    if (this.#unseenDepth > 0) this.#unseenDepth -= 1;
    else {
      this.#open.pop();
      this.#member = undefined;
    }
  }
}

/** Undefined for white space and the mark of UTF-8, which may stand before it. */
function beginsDocument(octet: number): boolean | undefined {
  if (octet <= 0x20 || [0xef, 0xbb, 0xbf].includes(octet)) return undefined;
  return octet === objectStart || octet === listStart;
}

/** With its escapes as the characters that they are. */
function textOf(name: readonly number[]): string {
  if (name.length > nameOctets) return '';
  const text = Buffer.from(name).toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}
