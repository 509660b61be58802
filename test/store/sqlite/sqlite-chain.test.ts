// The chain of the audit in SQLite, on the main thread and on the one that writes.

import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { chainCutConformance } from '../../conformance/chain-cuts.ts';
import { type AttackedStore, chainConformance } from '../../conformance/chain.ts';
import { chainKeysConformance } from '../../conformance/chain-keys.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

async function attackedStore(): Promise<AttackedStore> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const file = join(path, 'state.db');
  const store = stack.use(await openSqliteStore(file));
  const attacker = new DatabaseSync(file);
  stack.defer(() => attacker.close());
  const owned = stack.move();
  return {
    store,
    reopen: () => openSqliteStore(file),
    run: async (sql) => attacker.exec(sql),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

chainConformance('SQLite', attackedStore);
chainCutConformance('SQLite', attackedStore);
chainKeysConformance('SQLite', attackedStore);
