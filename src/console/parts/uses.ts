// What the store counts of uses, as views ask for it. Who sees only some sessions is told of none: it counts over all of them.

import { useMemo } from 'react';
import type { OutputOf } from '../../api/admin/routes.ts';
import { UseTable } from '../model/use-facts.ts';
import { type Asked, useAsked, useDesk } from './operator.ts';

const everyMs = 10_000;

export function useUses(kind: 'rule' | 'observed'): UseTable | undefined {
  const { who } = useDesk();
  const path = who.sees === undefined ? '/v1/uses' : undefined;
  const { value } = useAsked({ operation: 'uses', path, query: { kind }, everyMs });
  return useMemo(() => (value === undefined ? undefined : new UseTable(value)), [value]);
}

const idsMost = 100;

/** Of the grants with these ids, the first hundred. */
export function useGrantUses(ids: readonly string[]): Asked<OutputOf<'grantUses'>> {
  const path = ids.length === 0 ? undefined : '/v1/uses/grants';
  const query = { ids: ids.slice(0, idsMost).toSorted().join(',') };
  return useAsked({ operation: 'grantUses', path, query, everyMs: 3000 });
}
