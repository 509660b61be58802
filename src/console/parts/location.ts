// The address of the page is what it shows: view, id, filter, open exchange.

import { useSyncExternalStore } from 'react';

export const viewNames = [
  'live',
  'access',
  'sessions',
  'policy',
  'overview',
  'credentials',
  'settings',
  'exchange',
] as const;
export type ViewName = (typeof viewNames)[number];

export interface Place {
  readonly view: ViewName;
  /** Of a session or an exchange; empty where none is meant. */
  readonly id: string;
  readonly query: URLSearchParams;
}

export function placeOf(pathname: string, search: string): Place {
  const [, name = '', id = ''] = pathname.split('/');
  const view = viewNames.find((one) => one === name) ?? 'live';
  return { view, id: decoded(id), query: new URLSearchParams(search) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function addressOf(
  view: ViewName,
  id = '',
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
  return `/${view}${id === '' ? '' : `/${encodeURIComponent(id)}`}${search}`;
}

const moved = 'upstreamproxy-moved';

export function go(address: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  window.dispatchEvent(new Event(moved));
}

function subscribe(listener: () => void): () => void {
  const names = ['popstate', moved];
  for (const name of names) window.addEventListener(name, listener);
  return () => {
    for (const name of names) window.removeEventListener(name, listener);
  };
}

/** The address as text: the same text is the same place. */
export function useAddress(): string {
  return useSyncExternalStore(subscribe, () => `${location.pathname}${location.search}`);
}
