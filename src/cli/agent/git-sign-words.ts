// The words with which git calls `ssh-keygen` for a signature: `-Y sign -n git -f KEY [-U] FILE`.

import { ProxyError } from '../../protocol/error.ts';

export interface GitSignWords {
  /** What the signature is for; git says `git`. */
  readonly namespace: string;
  /** Undefined: standard input, and the signature to standard output. */
  readonly file: string | undefined;
}

/** Options with a value. What they say beside the namespace is of no use here: the key is the gateway's. */
const valued: ReadonlySet<string> = new Set(['-Y', '-n', '-f', '-O']);

/** @throws ProxyError usage */
export function readGitSignWords(words: readonly string[]): GitSignWords {
  const values = new Map<string, string>();
  const rest: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (valued.has(word)) values.set(word, words[(at += 1)] ?? '');
    else if (word !== '-U' && word !== '-q') rest.push(word);
  }
  const namespace = values.get('-n');
  const [file, ...more] = rest;
  if (
    values.get('-Y') !== 'sign' ||
    namespace === undefined ||
    more.length > 0 ||
    file?.startsWith('-') === true
  )
    throw new ProxyError('usage', 'this is for git, which calls it as ssh-keygen -Y sign -n git -f KEY FILE');
  return { namespace, file };
}
