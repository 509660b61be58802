// Refs and options of a push that somebody asks about, read as the gateway reads a push: what it refuses is refused here.

import { PushCommandReader, type RefChange, type RefUpdate } from '../../policy/git-commands.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';

/** @throws ProxyError usage */
export function askedUpdate(ref: string, change: RefChange): RefUpdate {
  const [none, some] = ['0'.repeat(40), '1'.repeat(40)];
  const line = `${change === 'create' ? none : some} ${change === 'delete' ? none : some} ${ref}`;
  const read = commandsOf(ref, `${packet(line)}0000`)?.updates[0];
  if (read !== undefined) return read;
  throw new ProxyError(
    'usage',
    `${JSON.stringify(ref)} is no ref; write its whole name, such as refs/heads/main`,
  );
}

/** @throws ProxyError usage */
export function askedPushOption(option: string): string {
  const capable = `${'1'.repeat(40)} ${'2'.repeat(40)} refs/heads/a\0push-options`;
  const read = commandsOf(option, `${packet(capable)}0000${packet(option)}0000`)?.options[0];
  if (read !== undefined) return read;
  throw new ProxyError('usage', `${JSON.stringify(option)} is no option of a push`);
}

function commandsOf(what: string, text: string): ReturnType<PushCommandReader['push']> {
  try {
    return new PushCommandReader().push(new TextEncoder().encode(text));
  } catch (error) {
    throw new ProxyError('usage', `${JSON.stringify(what)}: ${asProxyError(error).message}`, {
      cause: error,
    });
  }
}

function packet(line: string): string {
  return `${(new TextEncoder().encode(line).length + 4).toString(16).padStart(4, '0')}${line}`;
}
