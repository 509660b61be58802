// Which requests are git's: https://git-scm.com/docs/http-protocol. What a rule may allow is told to the letter; what
// some server may take for git is told generously, for rules that deny.

import { liberalReading, pathAmbiguity } from '../http/request-target.ts';

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

/** Undefined if no server would take the request for git's. */
export function gitRequestOf(head: GitRequestHead): GitRequest | undefined {
  return smartRequest(head) ?? likeGit(head);
}

function smartRequest({ method, path, query }: GitRequestHead): GitRequest | undefined {
  const [, before, asked] = /^\/(.+)\/(info\/refs|git-(?:upload|receive)-pack)$/.exec(path) ?? [];
  if (before === undefined || asked === undefined || pathAmbiguity(path) !== undefined) return undefined;
  const service =
    asked === 'info/refs' ? /^\?service=(git-(?:upload|receive)-pack)$/.exec(query)?.[1] : asked;
  const isRead = asked === 'info/refs';
  if (service === undefined || method !== (isRead ? 'GET' : 'POST') || (!isRead && query !== ''))
    return undefined;
  const isPush = service === 'git-receive-pack';
  return {
    repository: before.length > 4 && before.endsWith('.git') ? before.slice(0, -4) : before,
    operations: [isPush ? 'push' : 'fetch'],
    isSmart: true,
    carriesCommands: isPush && !isRead,
  };
}

/** Dumb HTTP, pushes over WebDAV, archives, LFS, and everything that is nearly smart HTTP. */
const looks =
  /^\/(.+?)\/(info\/refs|info\/lfs\/.*|git-upload-pack|git-receive-pack|git-upload-archive|refs\/(?:heads|tags)\/.+|objects\/(?:info\/[a-z-]+|pack\/pack-[0-9a-f]+\.[a-z]+|[0-9a-f]{2}\/[0-9a-f]+))$/;

function likeGit({ method, path, query }: GitRequestHead): GitRequest | undefined {
  // Most requests are none. Letters are never encoded in a canonical path.
  if (!/refs|git-|objects|lfs/i.test(path)) return undefined;
  const reading = liberalReading(path).replace(/\/$/, '');
  const [, before, asked = ''] = looks.exec(reading.toLowerCase()) ?? [];
  if (before === undefined) return undefined;
  const operations = operationsOf(asked, method, query);
  return {
    repository: reading.slice(1, 1 + before.length).replace(/(?<=.)\.git$/i, ''),
    operations,
    isSmart: false,
    carriesCommands: asked === 'git-receive-pack' && method !== 'GET' && method !== 'HEAD',
  };
}

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
