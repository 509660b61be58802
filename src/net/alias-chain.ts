// The names that a name leads to (CNAME), asked for beside its addresses. For the audit alone: nothing is decided by them.

import { defaultLimits } from '../protocol/limits.ts';

const nameLengthMax = 253;

/** Asks for the alias of one name; a rejection or an empty answer says that it is none. */
export type AskAlias = (name: string) => Promise<readonly string[]>;

/**
 * The chain behind `host`, in canonical form: up to `defaultLimits.aliasesMax` names, up to one that is no name or was there before, and as
 * far as `mayGoOn`. Never rejects.
 */
export async function followAliases(
  host: string,
  ask: AskAlias,
  mayGoOn: () => boolean,
): Promise<readonly string[]> {
  const chain: string[] = [];
  for (let name = host; chain.length < defaultLimits.aliasesMax && mayGoOn();) {
    const next = canonicalName(await ask(name).catch(() => []));
    if (next === undefined || next === host || chain.includes(next)) break;
    chain.push(next);
    name = next;
  }
  return chain;
}

/** In lower case and without the dot at its end; what a name server says can be anything. */
function canonicalName([alias = '']: readonly string[]): string | undefined {
  const name = alias.toLowerCase().replace(/\.$/, '');
  return name.length <= nameLengthMax && /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name) ? name : undefined;
}
