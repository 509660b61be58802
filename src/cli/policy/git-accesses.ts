// The requests that a command of git makes, for `policy explain git`.

import type { RequestAccess } from '../../policy/decision.ts';
import { PushCommandReader } from '../../policy/git-commands.ts';
import type { RefChange, RefUpdate } from '../../policy/git-commands.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';

/** A fetch, or a push of these refs, at the URL of a repository, as `requestOf` makes requests. */
export function gitAccesses(
  operation: string | undefined,
  { url, refs, change }: { url: string; refs: readonly string[]; change: RefChange },
  requestOf: (method: string, url: string) => RequestAccess,
): readonly RequestAccess[] {
  const base = withoutSlashes(url);
  switch (operation) {
    case 'fetch':
      if (refs.length > 0)
        throw new ProxyError('usage', 'a fetch is decided for the repository; leave the refs out');
      return [
        requestOf('GET', `${base}/info/refs?service=git-upload-pack`),
        requestOf('POST', `${base}/git-upload-pack`),
      ];
    case 'push': {
      const pushed = refs.map((ref) => updateOf(ref, change));
      const post = requestOf('POST', `${base}/git-receive-pack`);
      return [
        requestOf('GET', `${base}/info/refs?service=git-receive-pack`),
        pushed.length === 0 ? post : { ...post, pushed },
      ];
    }
    default:
      throw new ProxyError(
        'usage',
        'name what git does: upstreamproxy policy explain git fetch URL, or git push URL REF …',
      );
  }
}

/** Read as the gateway reads a push, so that a ref which it refuses is refused here. */
function updateOf(ref: string, change: RefChange): RefUpdate {
  const [none, some] = ['0'.repeat(40), '1'.repeat(40)];
  const line = `${change === 'create' ? none : some} ${change === 'delete' ? none : some} ${ref}`;
  const bytes = new TextEncoder().encode(line);
  const length = (bytes.length + 4).toString(16).padStart(4, '0');
  try {
    const [update] =
      new PushCommandReader().push(new TextEncoder().encode(`${length}${line}0000`))?.updates ?? [];
    if (update !== undefined) return update;
  } catch (error) {
    throw new ProxyError('usage', `${JSON.stringify(ref)}: ${asProxyError(error).message}`, { cause: error });
  }
  throw new ProxyError(
    'usage',
    `${JSON.stringify(ref)} is no ref; write its whole name, such as refs/heads/main`,
  );
}

function withoutSlashes(url: string): string {
  let end = url.length;
  while (url[end - 1] === '/') end -= 1;
  return url.slice(0, end);
}
