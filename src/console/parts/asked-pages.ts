// A list of the API, page by page: what a page says comes next is asked for too, up to a bound.

import { useEffect, useState } from 'react';
import type { OutputOf } from '../../api/admin/routes.ts';
import { type AdminClient, faultText } from '../api/admin-client.ts';
import { type Asked, useDesk } from './operator.ts';

/** Operations that give a list with a cursor. */
type ListOperation = 'accessRequests' | 'sessions';
type Item<Operation extends ListOperation> = OutputOf<Operation>['items'][number];

export interface ListQuestion<Operation extends ListOperation> {
  readonly operation: Operation;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly pagesMax: number;
}

export interface Listed<Operation extends ListOperation> {
  readonly items: readonly Item<Operation>[];
  /** There may be more that were not asked for. */
  readonly hasMore: boolean;
}

export async function askPages<Operation extends ListOperation>(
  client: Pick<AdminClient, 'get'>,
  { operation, path, query = {}, pagesMax }: ListQuestion<Operation>,
  signal?: AbortSignal,
): Promise<Listed<Operation>> {
  const items: Item<Operation>[] = [];
  let before: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const found: OutputOf<Operation> = await client.get(operation, path, {
      signal,
      query: { ...query, before },
    });
    items.push(...(found.items as readonly Item<Operation>[]));
    before = found.next;
    if (before === undefined) return { items, hasMore: false };
  }
  return { items, hasMore: true };
}

/** Asked again after `everyMs`. Undefined: nothing is asked. */
export function useAskedPages<Operation extends ListOperation>(
  question: ListQuestion<Operation> | undefined,
  everyMs: number,
): Asked<Listed<Operation>> {
  const { client } = useDesk();
  const key = JSON.stringify(question);
  const [state, setState] = useState<{
    readonly key: string;
    readonly value?: Listed<Operation>;
    readonly fault?: string;
    readonly atMs?: number;
  }>();
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (question === undefined) return undefined;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      try {
        const value = await askPages(client, question, gone.signal);
        if (!gone.signal.aborted) setState({ key, value, atMs: Date.now() });
      } catch (error) {
        const fault = faultText(error);
        if (!gone.signal.aborted)
          setState((before) => ({ ...(before?.key === key ? before : { key }), fault }));
      }
      if (!gone.signal.aborted) timer = setTimeout(() => void look(), everyMs);
    };
    void look();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
    // `key` is the question.
  }, [client, key, everyMs, round]);
  const known = state?.key === key ? state : undefined;
  return {
    value: known?.value,
    fault: known?.fault,
    atMs: known?.atMs,
    again: () => setRound((before) => before + 1),
  };
}
