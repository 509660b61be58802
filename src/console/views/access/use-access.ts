// Requests for access by their state, each list as far as it goes: those that are decided page by page, as far back as was asked.

import { useState } from 'react';
import { type Access, type AccessTab, accessById, decidedSoFar } from '../../model/access-groups.ts';
import { type Listed, useAskedPages } from '../../parts/asked-pages.ts';
import { type Asked, useAsked } from '../../parts/operator.ts';
import { segment } from '../../api/admin-client.ts';

const openEveryMs = 2000;
const decidedEveryMs = 10_000;
/** Of 1,000 each. More than so many open ones nobody reads. */
const openPages = 10;

type List = Asked<Listed<'accessRequests'>>;

export interface AccessLists {
  readonly byId: ReadonlyMap<string, Access>;
  /** The lists that the tab shows. */
  readonly of: (tab: AccessTab) => AccessList;
  /** Those that are decided, further back. */
  readonly further: () => void;
  readonly again: () => void;
}

export interface AccessList {
  readonly items: readonly Access[];
  readonly isKnown: boolean;
  readonly hasMore: boolean;
  readonly asked: Asked<unknown>;
}

function useListOf(state: Access['state'], pagesMax: number, everyMs: number): List {
  const question = { operation: 'accessRequests', path: '/v1/access', query: { state }, pagesMax } as const;
  return useAskedPages(question, everyMs);
}

export function useAccess(wanted: string): AccessLists {
  const [decidedPages, setDecidedPages] = useState(1);
  const pending = useListOf('pending', openPages, openEveryMs);
  const granted = useListOf('granted', openPages, openEveryMs);
  const denied = useListOf('denied', decidedPages, decidedEveryMs);
  const revoked = useListOf('revoked', decidedPages, decidedEveryMs);
  const ended = useListOf('ended', decidedPages, decidedEveryMs);
  const decided = [denied, revoked, ended];
  const all = [pending, granted, ...decided];
  const known = accessById(all.map(({ value }) => value?.items ?? []));
  const areAllKnown = all.every(({ value }) => value !== undefined);
  const isMissing = wanted !== '' && areAllKnown && !known.has(wanted);
  const one = useAsked({
    operation: 'accessRequest',
    path: isMissing ? `/v1/access/${segment(wanted)}` : undefined,
    everyMs: openEveryMs,
  }).value;
  const byId = one === undefined ? known : new Map([...known, [one.id, one]]);
  const again = (): void => {
    for (const list of all) list.again();
  };
  const lists: Readonly<Record<AccessTab, readonly List[]>> = {
    pending: [pending],
    granted: [granted],
    decided,
  };
  return {
    byId,
    of: (tab) => listOf(lists[tab], byId, tab),
    further: () => setDecidedPages(decidedPages + 1),
    again,
  };
}

function listOf(lists: readonly List[], byId: ReadonlyMap<string, Access>, tab: AccessTab): AccessList {
  const found = lists.map(({ value }) => value ?? { items: [], hasMore: false });
  const isOfTab = ({ id, state }: Access): boolean => {
    const now = byId.get(id)?.state ?? state;
    return tab === 'decided' ? now !== 'pending' && now !== 'granted' : now === tab;
  };
  const faulty = lists.find(({ fault }) => fault !== undefined);
  const atMs = lists.map((one) => one.atMs).filter((one) => one !== undefined);
  return {
    items: (tab === 'decided' ? decidedSoFar(found) : (found[0]?.items ?? [])).filter(isOfTab),
    isKnown: lists.every(({ value }) => value !== undefined),
    hasMore: found.some(({ hasMore }) => hasMore),
    asked: {
      value: undefined,
      fault: faulty?.fault,
      atMs: atMs.length === 0 ? undefined : Math.min(...atMs),
      again: () => undefined,
    },
  };
}
