// A grant for pushes: which refs of which repository an operator can open for a time.

import { pathFeatures } from '../http/path-reading.ts';
import type { PushGrant } from './access-grant.ts';
import { GitPattern } from './git-pattern.ts';

const endings = ['/info/refs', '/git-receive-pack', '/git-upload-pack'];

/**
 * The repository that a request for access is about: its URL without a method, or what git asks first and then for a push. Undefined where it
 * is about something else, which a push is no part of.
 */
export function pushedRepository({
  method,
  path,
}: {
  readonly method?: string | undefined;
  readonly path?: string | undefined;
}): string | undefined {
  if (path === undefined || pathFeatures(path) !== 0) return undefined;
  const ending = endings.find((one) => path.endsWith(one));
  const isOfPush =
    method === undefined ||
    (method === 'POST' && ending === '/git-receive-pack') ||
    (method === 'GET' && ending === '/info/refs');
  if (!isOfPush) return undefined;
  let whole = ending === undefined ? path : path.slice(0, -ending.length);
  if (whole.endsWith('/')) whole = whole.slice(0, -1);
  const name = whole.slice(1);
  const repository = name.length > 4 && name.endsWith('.git') ? name.slice(0, -4) : name;
  return repository === '' ? undefined : repository;
}

/** Pushes that create or update these refs, without options. A string says what is wrong with a ref, and what to write. */
export function pushGrant(repository: string, refs: readonly string[]): PushGrant | string {
  const patterns: GitPattern[] = [];
  for (const ref of refs) {
    const pattern = GitPattern.parseRef(ref);
    if (typeof pattern === 'string') return pattern;
    patterns.push(pattern);
  }
  return {
    repository,
    git: {
      repositories: undefined,
      operations: new Set(['push']),
      refs: patterns,
      changes: new Set(['create', 'update']),
      options: [],
    },
  };
}
