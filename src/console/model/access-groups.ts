// Requests for access as an inbox: by destination, so that one who asks often is seen as one.

import type { OutputOf } from '../../api/admin/routes.ts';
import { portSuffix } from './display.ts';

export type Access = OutputOf<'accessRequest'>;

export const accessTabs = ['pending', 'granted', 'decided'] as const;
export type AccessTab = (typeof accessTabs)[number];

export interface AccessGroup {
  readonly destination: string;
  readonly items: readonly Access[];
  readonly sessions: number;
}

/** The destination that was asked for first stands first, so that a new one never pushes others down. */
export function groupsOf(items: readonly Access[]): readonly AccessGroup[] {
  const groups = Map.groupBy(
    items
      .filter(({ question }) => question === undefined)
      .toSorted((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id)),
    ({ asked: { scheme, host, port } }) => `${host}${portSuffix(scheme, port)}`,
  );
  return [...groups].map(([destination, members]) => ({
    destination,
    items: members,
    sessions: new Set(members.map(({ session }) => session)).size,
  }));
}

const certainty: Readonly<Record<Access['state'], number>> = {
  pending: 0,
  granted: 1,
  denied: 2,
  revoked: 2,
  ended: 3,
};

/** Lists of different moments: one that was decided in between stands in two, and what was decided holds. */
export function accessById(lists: readonly (readonly Access[])[]): ReadonlyMap<string, Access> {
  const byId = new Map<string, Access>();
  for (const one of lists.flat()) {
    const known = byId.get(one.id);
    if (known === undefined || certainty[one.state] >= certainty[known.state]) byId.set(one.id, one);
  }
  return byId;
}

/** Lists, each the newest first, as one: down to where one of them ends that goes on behind what was asked for. */
export function decidedSoFar(
  lists: readonly { readonly items: readonly Access[]; readonly hasMore: boolean }[],
): readonly Access[] {
  const ends = lists.flatMap(({ items, hasMore }) => (hasMore ? [items.at(-1)?.created ?? ''] : []));
  const from = ends.toSorted().at(-1) ?? '';
  return lists
    .flatMap(({ items }) => items)
    .filter(({ created }) => created >= from)
    .toSorted((a, b) => b.created.localeCompare(a.created) || b.id.localeCompare(a.id));
}

export type Scope = 'exact' | 'path' | 'host';

export interface GrantTerms {
  readonly scope: Scope;
  readonly subject: 'session' | 'principal';
  readonly seconds: number;
  /** Only pushes that create or update these refs. */
  readonly refs?: readonly string[];
}

/** Whether a repository may be meant, as git is told to ask for one: then a grant can be for pushes of some refs alone. */
export function mayBePush({ asked: { method, path } }: Access): boolean {
  if (path === undefined) return false;
  return method === undefined || /\/(?:git-receive-pack|info\/refs)$/.test(path);
}

/** What somebody wrote, with spaces or commas between. */
export function refsOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((ref) => ref !== '');
}

/** The narrowest that can be granted. */
export function narrowestTerms({ asked }: Access): GrantTerms {
  return { scope: asked.path === undefined ? 'host' : 'exact', subject: 'session', seconds: 900 };
}

/** The same, for pushes of these refs alone where such a request may be one. */
export function begunTerms(access: Access, refs: readonly string[]): GrantTerms {
  const terms = narrowestTerms(access);
  return refs.length === 0 || !mayBePush(access) ? terms : { ...terms, scope: 'exact', refs };
}

/** What a grant would open, in words. */
export function openedText({ asked }: Access, scope: Scope, refs?: readonly string[]): string {
  const { method = 'Every method on', scheme, host, port, path = '' } = asked;
  const origin = `${scheme}://${host}${portSuffix(scheme, port)}`;
  if (refs !== undefined) return `pushes to ${origin}${path} that create or update ${refs.join(', ')}`;
  switch (scope) {
    case 'exact':
      return `${method} ${origin}${path}`;
    case 'path':
      return `${method} ${origin}${path} and all below it`;
    case 'host':
      return `${method} ${origin}, every path`;
  }
}

/** How the same wish was decided before, among those that are known. */
export function decidedBefore(
  all: readonly Access[],
  one: Access,
): { readonly granted: number; readonly denied: number } {
  const same = all.filter(
    ({ id, asked }) =>
      id !== one.id &&
      asked.host === one.asked.host &&
      asked.path === one.asked.path &&
      asked.method === one.asked.method,
  );
  const granted = same.filter(({ terms }) => terms !== undefined).length;
  return { granted, denied: same.filter(({ state }) => state === 'denied').length };
}
