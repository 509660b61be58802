// From a store's URL to its engine.

import { ProxyError } from '../protocol/error.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

/**
 * Opens `sqlite:/path/to/file` (created if missing) or `sqlite::memory:`.
 * Throws ProxyError `config_invalid` for another URL, `store_unavailable` if the file cannot be used safely.
 */
export async function openStore(url: string): Promise<Store> {
  const path = /^sqlite:(.+)$/s.exec(url)?.[1];
  if (path !== undefined) return openSqliteStore(path);
  if (/^postgres(?:ql)?:/.test(url)) {
    throw new ProxyError(
      'config_invalid',
      'The PostgreSQL store is not available in this version; use "sqlite:/path/to/state.db".',
    );
  }
  // The URL itself is not repeated: it may hold a password.
  throw new ProxyError(
    'config_invalid',
    'The store URL is not one of ours; write "sqlite:/path/to/state.db" or "sqlite::memory:".',
  );
}
