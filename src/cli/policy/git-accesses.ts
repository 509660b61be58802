// The requests that a command of git makes, for `policy explain git`.

import type { RequestAccess } from '../../policy/decision.ts';
import { PushCommandReader } from '../../policy/git-commands.ts';
import type { RefChange, RefUpdate } from '../../policy/git-commands.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';

/** What follows `policy explain git OPERATION`. */
export interface GitCommand {
  readonly url: string;
  readonly refs: readonly string[];
  readonly change: RefChange;
  /** `git push -o`. */
  readonly options: readonly string[];
}

/** A fetch, or a push of these refs, at the URL of a repository, as `requestOf` makes requests. */
export function gitAccesses(
  operation: string | undefined,
  { url, refs, change, options }: GitCommand,
  requestOf: (method: string, url: string) => RequestAccess,
): readonly RequestAccess[] {
  const base = withoutSlashes(url);
  switch (operation) {
    case 'fetch':
      if (options.length > 0)
        throw new ProxyError('usage', 'a fetch has no options; leave --push-option out');
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
        pushed.length === 0 ? post : { ...post, pushed, pushOptions: options.map(optionOf) },
      ];
    }
    default:
      throw new ProxyError(
        'usage',
        'name what git does: upstreamproxy policy explain git fetch URL, or git push URL REF …',
      );
  }
}

/** An option that the gateway refuses in a push is refused here. */
function optionOf(option: string): string {
  const capable = `${'1'.repeat(40)} ${'2'.repeat(40)} refs/heads/a\0push-options`;
  try {
    const text = `${packet(capable)}0000${packet(option)}0000`;
    const [read] = new PushCommandReader().push(new TextEncoder().encode(text))?.options ?? [];
    if (read !== undefined) return read;
  } catch (error) {
    throw new ProxyError('usage', `${JSON.stringify(option)}: ${asProxyError(error).message}`, {
      cause: error,
    });
  }
  throw new ProxyError('usage', `${JSON.stringify(option)} is no option of a push`);
}

function packet(line: string): string {
  return `${(new TextEncoder().encode(line).length + 4).toString(16).padStart(4, '0')}${line}`;
}

/** Read as the gateway reads a push, so that a ref which it refuses is refused here. */
function updateOf(ref: string, change: RefChange): RefUpdate {
  const [none, some] = ['0'.repeat(40), '1'.repeat(40)];
  const line = `${change === 'create' ? none : some} ${change === 'delete' ? none : some} ${ref}`;
  try {
    const [update] =
      new PushCommandReader().push(new TextEncoder().encode(`${packet(line)}0000`))?.updates ?? [];
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
