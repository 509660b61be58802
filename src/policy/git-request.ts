// Which requests are git's: https://git-scm.com/docs/http-protocol. What a rule may allow is told to the letter; what
// some server may take for git is told generously, for rules that deny.

import { pathFeatures, readingsFor, readPath } from '../http/path-reading.ts';

export type GitOperation = 'fetch' | 'push';

export interface GitRequest {
  /** The path before what git adds, without its slash and without `.git`: `acme/app`. */
  readonly repository: string;
  /** More than one where it cannot be told. */
  readonly operations: readonly GitOperation[];
  /** As clients of smart HTTP ask, to the letter. */
  readonly isSmart: boolean;
  /** Its body begins with the commands of a push. */
  readonly carriesCommands: boolean;
}

/** The parts of a request that say so. */
export interface GitRequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
}

/** As the most liberal server takes it; undefined if none would take the request for git's. */
export function gitRequestOf(head: GitRequestHead): GitRequest | undefined {
  return gitRequestsOf(head).at(-1);
}

/**
 * All that servers could take the request for: one where it is smart HTTP to the letter, else what the readings of its
 * path give, each repository and its operations once.
 */
export function gitRequestsOf(
  head: GitRequestHead,
  readings = readingsOfPath(head.path),
): readonly GitRequest[] {
  const smart = pathFeatures(head.path) === 0 ? smartRequest(head) : undefined;
  if (smart !== undefined) return [smart];
  const requests = new Map<string, GitRequest>();
  for (const path of readings) {
    const request = likeGit({ ...head, path });
    if (request !== undefined) requests.set(`${request.operations.join('+')} ${request.repository}`, request);
  }
  return [...requests.values()];
}

const readingsOfPath = (path: string): readonly string[] =>
  readingsFor(pathFeatures(path)).map((reading) => readPath(path, reading));

function smartRequest({ method, path, query }: GitRequestHead): GitRequest | undefined {
  const asked = smartEndings.find((ending) => path.endsWith(ending) && path.length > ending.length + 1);
  if (asked === undefined) return undefined;
  const isRead = asked === '/info/refs';
  const service = isRead ? smartServices.get(query) : asked.slice(1);
  if (service === undefined || method !== (isRead ? 'GET' : 'POST') || (!isRead && query !== ''))
    return undefined;
  const before = path.slice(1, -asked.length);
  const isPush = service === 'git-receive-pack';
  return {
    repository: before.length > 4 && before.endsWith('.git') ? before.slice(0, -4) : before,
    operations: [isPush ? 'push' : 'fetch'],
    isSmart: true,
    carriesCommands: isPush && !isRead,
  };
}

const smartEndings = ['/info/refs', '/git-upload-pack', '/git-receive-pack'];
const smartServices: ReadonlyMap<string, string> = new Map([
  ['?service=git-upload-pack', 'git-upload-pack'],
  ['?service=git-receive-pack', 'git-receive-pack'],
]);

/** Dumb HTTP, pushes over WebDAV, archives, LFS, and everything that is nearly smart HTTP. */
function likeGit({ method, path, query }: GitRequestHead): GitRequest | undefined {
  // Most requests are none.
  if (!/refs|git-|objects|lfs/i.test(path)) return undefined;
  const reading = path.endsWith('/') ? path.slice(0, -1) : path;
  const lower = reading.toLowerCase();
  const slash = repositoryEnd(lower);
  if (slash === undefined) return undefined;
  const asked = lower.slice(slash + 1);
  const before = reading.slice(1, slash);
  const isNamed = before.length > 4 && before.toLowerCase().endsWith('.git');
  return {
    repository: isNamed ? before.slice(0, -4) : before,
    operations: operationsOf(asked, method, query),
    isSmart: false,
    carriesCommands: asked === 'git-receive-pack' && method !== 'GET' && method !== 'HEAD',
  };
}

/** The first slash behind a name that only what git asks for follows. */
function repositoryEnd(path: string): number | undefined {
  for (let slash = path.indexOf('/', 2); slash >= 0; slash = path.indexOf('/', slash + 1))
    if (isAskedOfGit(path, slash + 1)) return slash;
  return undefined;
}

const askedWhole = ['info/refs', 'git-upload-pack', 'git-receive-pack', 'git-upload-archive'];
/** Something has to follow, except for LFS, which responds at its own path too. */
const askedBelow = ['refs/heads/', 'refs/tags/'];

function isAskedOfGit(path: string, at: number): boolean {
  const begins = (text: string): boolean => path.startsWith(text, at);
  if (askedWhole.some((text) => begins(text) && path.length === at + text.length)) return true;
  if (begins('info/lfs/') || askedBelow.some((text) => begins(text) && path.length > at + text.length))
    return true;
  return begins('objects/') && isObject(path, at + 'objects/'.length);
}

/** `info/packs`, `pack/pack-HASH.idx`, `ab/REST-OF-HASH`, up to the end. */
function isObject(path: string, at: number): boolean {
  if (path.startsWith('info/', at)) return isRun(path, at + 5, path.length, isLetterOrHyphen);
  if (path.startsWith('pack/pack-', at)) {
    const dot = path.indexOf('.', at);
    return dot > 0 && isRun(path, at + 10, dot, isHex) && isRun(path, dot + 1, path.length, isLetter);
  }
  return path[at + 2] === '/' && isRun(path, at, at + 2, isHex) && isRun(path, at + 3, path.length, isHex);
}

/** One or more characters of a kind; looks no further than the first of another. */
function isRun(path: string, from: number, to: number, isOfKind: (code: number) => boolean): boolean {
  for (let at = from; at < to; at++) if (!isOfKind(path.charCodeAt(at))) return false;
  return from < to;
}

const isLetter = (code: number): boolean => code >= 0x61 && code <= 0x7a;
const isLetterOrHyphen = (code: number): boolean => isLetter(code) || code === 0x2d;
const isHex = (code: number): boolean => (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);

function operationsOf(asked: string, method: string, query: string): readonly GitOperation[] {
  if (asked === 'git-receive-pack') return ['push'];
  if (asked === 'git-upload-pack' || asked === 'git-upload-archive') return ['fetch'];
  if (asked.startsWith('info/lfs/')) return ['fetch', 'push'];
  const isRead = method === 'GET' || method === 'HEAD';
  // What is encoded may mean either.
  if (asked === 'info/refs' && isRead)
    return query.includes('%') ? ['fetch', 'push'] : [/receive/i.test(query) ? 'push' : 'fetch'];
  return [isRead ? 'fetch' : 'push'];
}
