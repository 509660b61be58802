// The saved views of this browser.

import { type SavedView, viewsOf } from '../model/saved-views.ts';

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
