// From a store's URL to its engine.

import { ProxyError } from '../protocol/error.ts';
import type { Secret } from '../protocol/secret.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

/** What the URL of a database does not say; a file needs none of it. */
export interface StoreAccess {
  /** Asked for each connection that needs it: a password may change. Absent: the server must ask for none. */
  readonly password?: (() => Promise<Secret<string>>) | undefined;
  /** PEM that the server's certificate is verified against; absent: those that the runtime has built in. */
  readonly ca?: string | undefined;
  /** The connection is not encrypted, and whoever is on the way reads and changes everything. */
  readonly dangerouslyWithoutTls?: boolean | undefined;
  /** Nothing is written: a replica, or a role that may only read, will do. */
  readonly isReader?: boolean | undefined;
  /** An operator's command writes: in a database that may be by a login of their own, which has acts alone. */
  readonly isOperator?: boolean | undefined;
}

/**
 * Opens `sqlite:/path/to/file` (created if missing), `sqlite::memory:`, or `postgres://user@host:port/database`.
 * Throws ProxyError `config_invalid` for another URL, `store_unavailable` if the file or the database cannot be used safely.
 */
export async function openStore(url: string, access: StoreAccess = {}): Promise<Store> {
  const path = /^sqlite:(.+)$/s.exec(url)?.[1];
  if (path !== undefined) return openSqliteStore(path, { isReader: access.isReader });
  if (/^postgres(?:ql)?:/.test(url)) {
    // Loaded where it is used: a gateway with a file needs no client.
    const { openPostgresStore } = await import('./postgres/postgres-store.ts');
    return await openPostgresStore(url, access);
  }
  // The URL itself is not repeated: it may hold a password.
  throw new ProxyError(
    'config_invalid',
    'The store URL is not one of ours; write "sqlite:/path/to/state.db", "sqlite::memory:" or "postgres://user@host/database".',
  );
}
