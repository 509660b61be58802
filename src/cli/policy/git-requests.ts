// The requests that a command of git makes, for `policy explain git`.

import { askedPushOption, askedUpdate } from '../../gateway/policies/asked-push.ts';
import type { RefChange } from '../../policy/git-commands.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AskedRequest } from './judging-backend.ts';

/** What follows `policy explain git OPERATION`. */
export interface GitCommand {
  readonly url: string;
  readonly refs: readonly string[];
  readonly change: RefChange;
  /** `git push -o`. */
  readonly options: readonly string[];
}

/** A fetch, or a push of these refs, at the URL of a repository. @throws ProxyError usage */
export function gitRequests(
  operation: string | undefined,
  { url, refs, change, options }: GitCommand,
): readonly AskedRequest[] {
  const base = withoutSlashes(url);
  switch (operation) {
    case 'fetch':
      if (options.length > 0)
        throw new ProxyError('usage', 'a fetch has no options; leave --push-option out');
      if (refs.length > 0)
        throw new ProxyError('usage', 'a fetch is decided for the repository; leave the refs out');
      return [
        { method: 'GET', url: `${base}/info/refs?service=git-upload-pack` },
        { method: 'POST', url: `${base}/git-upload-pack` },
      ];
    case 'push': {
      const pushed = refs.map((ref) => askedUpdate(ref, change));
      const post = { method: 'POST', url: `${base}/git-receive-pack` };
      return [
        { method: 'GET', url: `${base}/info/refs?service=git-receive-pack` },
        pushed.length === 0 ? post : { ...post, pushed, pushOptions: options.map(askedPushOption) },
      ];
    }
    default:
      throw new ProxyError(
        'usage',
        'name what git does: upstreamproxy policy explain git fetch URL, or git push URL REF …',
      );
  }
}

function withoutSlashes(url: string): string {
  let end = url.length;
  while (url[end - 1] === '/') end -= 1;
  return url.slice(0, end);
}
