// A commit or a tag as git hands it to who signs it: without its signature, and every octet with one reading. What readers of git could take in
// two ways is none here. Parents, trees and what a tag points to are ids: nothing here says what they stand for.

import { latin1Text } from '../http/latin1-text.ts';
import { type GitIdentity, readIdentity } from './git-identity.ts';

/** Of its ids, and so of its own. */
export type GitHash = 'sha1' | 'sha256';

export interface GitCommit {
  readonly kind: 'commit';
  readonly hash: GitHash;
  readonly author: GitIdentity;
  readonly committer: GitIdentity;
}

export interface GitTag {
  readonly kind: 'tag';
  readonly hash: GitHash;
  /** Its name. */
  readonly tag: string;
  readonly committer: GitIdentity;
}

export type GitObject = GitCommit | GitTag;

/** Reads all of it; text says why it is none, as the end of a sentence. Linear. */
export function readGitObject(octets: Uint8Array): GitObject | string {
  if (octets.includes(0)) return 'it has an octet that is zero';
  const text = latin1Text(octets, 0, octets.length);
  const isCommit = text.startsWith('tree ');
  if (!isCommit && !text.startsWith('object ')) return 'it is neither a commit nor a tag of git';
  const end = text.indexOf('\n\n');
  if (end < 0) return 'it has no empty line behind its header';
  const lines = new HeaderLines(text.slice(0, end));
  return isCommit ? readCommit(lines) : readTag(lines, text.slice(end + 2));
}

/** Lines of a header, one character an octet, from the front. */
class HeaderLines {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(header: string) {
    this.#lines = header.split('\n');
  }

  get next(): string | undefined {
    return this.#lines[this.#at];
  }

  /** What follows the key, if the next line has this key. */
  take(key: string): string | undefined {
    const { next } = this;
    if (next?.startsWith(`${key} `) !== true) return undefined;
    this.#at += 1;
    return next.slice(key.length + 1);
  }

  /** The lines that go on with the last one, which begin with a blank. */
  takeFolded(): readonly string[] {
    const from = this.#at;
    while (this.next?.startsWith(' ') === true) this.#at += 1;
    return this.#lines.slice(from, this.#at).map((line) => line.slice(1));
  }
}

/** Ids that stand for nothing are none. */
function hashOf(id: string | undefined): GitHash | undefined {
  if (id === undefined || !/^[0-9a-f]+$/.test(id) || /^0+$/.test(id)) return undefined;
  return id.length === 40 ? 'sha1' : id.length === 64 ? 'sha256' : undefined;
}

/** Encodings in which the octets of ASCII are ASCII and nothing else (git-commit(1), i18n.commitEncoding). */
const encodings =
  /^(?:utf-?8|iso-?8859-?(?:[1-9]|1[013456])|latin-?[1-9]|(?:windows|cp)-?125[0-8]|koi8-[ru])$/i;

/** In the order of git: tree, parents, author, committer, encoding, mergetags. */
function readCommit(lines: HeaderLines): GitCommit | string {
  const hash = hashOf(lines.take('tree'));
  if (hash === undefined) return 'its tree is no id';
  const parents = new Set<string>();
  for (let id = lines.take('parent'); id !== undefined; id = lines.take('parent')) {
    if (hashOf(id) !== hash) return 'a parent is no id of the kind of its tree';
    if (parents.has(id)) return 'it has a parent twice';
    parents.add(id);
  }
  const [authorLine, committerLine] = [lines.take('author'), lines.take('committer')];
  if (authorLine === undefined) return `it has ${found(lines)} where its author belongs`;
  if (committerLine === undefined) return `it has ${found(lines)} where its committer belongs`;
  const encoding = lines.take('encoding');
  if (encoding !== undefined && !encodings.test(encoding))
    return 'its encoding is none of UTF-8, ISO-8859, Windows and KOI8, in which a name could be another one';
  const isUtf8 = encoding === undefined || /^utf/i.test(encoding);
  const author = readIdentity(authorLine, isUtf8);
  if (typeof author === 'string') return `its author ${author}`;
  const committer = readIdentity(committerLine, isUtf8);
  if (typeof committer === 'string') return `its committer ${committer}`;
  for (let id = lines.take('mergetag'); id !== undefined; id = lines.take('mergetag')) {
    const problem = mergedTagProblem([id, ...lines.takeFolded()], parents);
    if (problem !== undefined) return problem;
  }
  if (lines.next !== undefined) return `it has ${found(lines)}, which no commit has there`;
  return { kind: 'commit', hash, author, committer };
}

/** A tag that was merged, with its signature, in the header of the commit. */
function mergedTagProblem(lines: readonly string[], parents: ReadonlySet<string>): string | undefined {
  const [first = '', type = '', tag = '', tagger = ''] = lines;
  const id = first.startsWith('object ') ? first.slice('object '.length) : '';
  if (!parents.has(id)) return 'a tag that it merges is of none of its parents';
  const isTag = type === 'type commit' && tag.startsWith('tag ') && tagger.startsWith('tagger ');
  return isTag && lines[4] === '' ? undefined : 'a tag that it merges has not the form of one';
}

/** Lines by which readers find where a signature begins. */
const signatureMark = /^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE|SSH SIGNATURE)-----/m;

function readTag(lines: HeaderLines, message: string): GitTag | string {
  const hash = hashOf(lines.take('object'));
  if (hash === undefined) return 'what it is put on is no id';
  if (lines.take('type') !== 'commit') return 'it is not put on a commit';
  const name = lines.take('tag');
  if (name === undefined) return `it has ${found(lines)} where its name belongs`;
  if (!isTagName(name)) return 'its name is none of a ref in ASCII';
  const taggerLine = lines.take('tagger');
  if (taggerLine === undefined) return `it has ${found(lines)} where its tagger belongs`;
  const committer = readIdentity(taggerLine, true);
  if (typeof committer === 'string') return `its tagger ${committer}`;
  if (lines.next !== undefined) return `it has ${found(lines)}, which no tag has there`;
  if (signatureMark.test(message)) return 'its message has the first line of a signature';
  // A signature that does not begin a line is part of the message.
  if (message !== '' && !message.endsWith('\n')) return 'its message does not end with a line';
  return { kind: 'tag', hash, tag: name, committer };
}

/** git-check-ref-format(1); others than ASCII can look alike. */
function isTagName(name: string): boolean {
  return (
    name.length <= 250 &&
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    !/[\u0000-\u0020\u007f-\u00ff~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)/.test(name) &&
    !/^(?:|@|[-./].*|.*[./])$/.test(name)
  );
}

function found(lines: HeaderLines): string {
  const key = /^[a-z0-9-]{1,40}(?= )/.exec(lines.next ?? '')?.[0];
  return lines.next === undefined ? 'nothing' : key === undefined ? 'another line' : `the header ${key}`;
}
