// Who is logged in, and what the views ask: the API, the feed, and a word at the edge.

import { createContext, useContext, useEffect, useState, useSyncExternalStore } from 'react';
import type { AdminOperation, OutputOf } from '../../api/admin/routes.ts';
import type { AdminClient } from '../api/admin-client.ts';
import { faultText } from '../api/admin-client.ts';
import type { EventFeed } from '../api/event-feed.ts';
import type { PolicyDraft } from '../model/policy-draft.ts';
import type { KeptDraft } from './kept-draft.ts';
import type { KeptPins } from './kept-pins.ts';
import type { KeptViews } from './kept-views.ts';
import type { KeptTimes, TimeStyle } from './kept-times.ts';
import type { SavedView } from '../model/saved-views.ts';

export interface OperatorDesk {
  readonly client: AdminClient;
  readonly feed: EventFeed;
  readonly who: OutputOf<'who'>;
  readonly draft: KeptDraft;
  readonly pins: KeptPins;
  readonly times: KeptTimes;
  readonly views: KeptViews;
  readonly signOut: () => void;
  /** A sentence for some seconds. */
  readonly say: (text: string) => void;
}

export const DeskContext = createContext<OperatorDesk | undefined>(undefined);

export function useDesk(): OperatorDesk {
  const desk = useContext(DeskContext);
  if (desk === undefined) throw new Error('a view stands outside of the log-in');
  return desk;
}

/** Renders again when something of the feed changed. */
export function useFeed(): EventFeed {
  const { feed } = useDesk();
  useSyncExternalStore(feed.subscribe, feed.version);
  return feed;
}

/** The draft of a policy, wherever it is shown. */
export function useDraft(): PolicyDraft {
  const { draft } = useDesk();
  return useSyncExternalStore(draft.subscribe, draft.current);
}

export function useTimes(): TimeStyle {
  const { times } = useDesk();
  return useSyncExternalStore(times.subscribe, times.current);
}

export function useViews(): readonly SavedView[] {
  const { views } = useDesk();
  return useSyncExternalStore(views.subscribe, views.current);
}

/** What a question gave, and what became of the last try: what was known stays. */
export interface Asked<Value> {
  readonly value: Value | undefined;
  readonly fault: string | undefined;
  readonly atMs: number | undefined;
  readonly again: () => void;
}

interface Question<Operation extends AdminOperation> {
  readonly operation: Operation;
  /** Undefined: nothing is asked. */
  readonly path: string | undefined;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Asked again after that long. */
  readonly everyMs?: number;
}

export function useAsked<Operation extends AdminOperation>({
  operation,
  path,
  query,
  everyMs,
}: Question<Operation>): Asked<OutputOf<Operation>> {
  const { client } = useDesk();
  const [state, setState] = useState<Omit<Asked<OutputOf<Operation>>, 'again'> & { readonly key: string }>();
  const [round, setRound] = useState(0);
  const key = JSON.stringify([path, query]);
  useEffect(() => {
    if (path === undefined) return undefined;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      try {
        const value = await client.get(operation, path, {
          signal: gone.signal,
          ...(query === undefined ? {} : { query }),
        });
        if (!gone.signal.aborted) setState({ key, value, fault: undefined, atMs: Date.now() });
      } catch (error) {
        if (gone.signal.aborted) return;
        const fault = faultText(error);
        setState((before) =>
          before?.key === key ? { ...before, fault } : { key, value: undefined, fault, atMs: undefined },
        );
      }
      if (everyMs !== undefined && !gone.signal.aborted) timer = setTimeout(() => void look(), everyMs);
    };
    void look();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
    // `key` is path and query.
  }, [client, operation, key, everyMs, round]);
  const again = (): void => setRound((before) => before + 1);
  if (state?.key !== key) return { value: undefined, fault: undefined, atMs: undefined, again };
  return { value: state.value, fault: state.fault, atMs: state.atMs, again };
}

/** The time, each second or as often as asked. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
