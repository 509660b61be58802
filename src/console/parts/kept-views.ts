// The saved views of this browser.

import { useSyncExternalStore } from 'react';
import { type SavedView, viewsOf } from '../model/saved-views.ts';
import { useDesk } from './operator.ts';

const key = 'upstreamproxy.views';

export class KeptViews {
  #views: readonly SavedView[] = viewsOf(localStorage.getItem(key));
  readonly #listeners = new Set<() => void>();

  readonly current = (): readonly SavedView[] => this.#views;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly change = (views: readonly SavedView[]): void => {
    this.#views = views;
    localStorage.setItem(key, JSON.stringify(views));
    for (const listener of this.#listeners) listener();
  };
}

export function useViews(): readonly SavedView[] {
  const { views } = useDesk();
  return useSyncExternalStore(views.subscribe, views.current);
}
