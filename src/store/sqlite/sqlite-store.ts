// The embedded engine: one SQLite file, two connections that differ in durability.

import { SqliteAccess } from './sqlite-access.ts';
import { SqliteAudit } from './sqlite-audit.ts';
import { SqliteBudgets } from './sqlite-budgets.ts';
import { SqliteFirstSeen } from './sqlite-first-seen.ts';
import { SqliteKnownIds } from './sqlite-known-ids.ts';
import { SqliteChanges } from './sqlite-changes.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { SqliteGateways, SqliteIdentity } from './sqlite-gateways.ts';
import { SqliteKeptTokens } from './sqlite-kept-tokens.ts';
import { SqliteLeases } from './sqlite-leases.ts';
import { SqliteOperators } from './sqlite-operators.ts';
import { SqlitePolicies } from './sqlite-policies.ts';
import { SqlitePresence } from './sqlite-presence.ts';
import { SqliteProofs } from './sqlite-proofs.ts';
import { SqliteQuestions } from './sqlite-questions.ts';
import { migrate, requireFilled } from './sqlite-migrate.ts';
import { type MoveMark, movedError, moveMarkOf } from './sqlite-moved.ts';
import { SqliteSessions, SqliteTokens } from './sqlite-sessions.ts';
import { SqliteTreeHeads } from './sqlite-tree-heads.ts';
import { SqliteUses } from './sqlite-uses.ts';
import type { Store } from '../store.ts';

/**
 * Opens or creates the file (0600, its folder 0700); `:memory:` lives as long as the store. One that was moved is opened to read alone.
 * Throws ProxyError `store_unavailable`.
 */
export async function openSqliteStore(
  path: string,
  { isReader = false }: { readonly isReader?: boolean | undefined } = {},
): Promise<Store> {
  const state = await SqliteDatabase.open(path, 'full');
  const moved = (): MoveMark | undefined => moveMarkOf(state);
  try {
    const mark = moved();
    if (mark !== undefined && !isReader) throw movedError(path, mark);
    if (mark === undefined) migrate(state);
    requireFilled(state);
    // The audit writes all the time: an fsync a batch would stop every stream for its duration.
    const isFile = path !== ':memory:';
    const auditDatabase = isFile ? await SqliteDatabase.open(path, 'normal') : state;
    const audit = new SqliteAudit(auditDatabase, isFile ? path : undefined);
    const close = async (): Promise<void> => {
      await audit.close();
      auditDatabase.close();
      state.close();
    };
    return {
      sessions: new SqliteSessions(state),
      // Written every few seconds, and worth no fsync.
      presence: new SqlitePresence(auditDatabase),
      tokens: new SqliteTokens(state),
      proofs: new SqliteProofs(state),
      access: new SqliteAccess(state),
      questions: new SqliteQuestions(state, auditDatabase),
      budgets: new SqliteBudgets(state),
      knownIds: new SqliteKnownIds(state),
      // What a power cut takes is new again.
      firstSeen: new SqliteFirstSeen(auditDatabase),
      treeHeads: new SqliteTreeHeads(state),
      leases: new SqliteLeases(state),
      keptTokens: new SqliteKeptTokens(state),
      operators: new SqliteOperators(state),
      gateways: new SqliteGateways(auditDatabase),
      identity: new SqliteIdentity(state),
      policies: new SqlitePolicies(state),
      changes: new SqliteChanges(state),
      audit,
      uses: new SqliteUses(auditDatabase),
      // Whoever writes the file writes its audit.
      acts: { take: async () => [], recorded: async () => undefined },
      ...(isFile
        ? {
            movedTo: () => moved()?.to,
            probe: async () => {
              const mark = moved();
              if (mark !== undefined) throw movedError(path, mark);
              requireFilled(state);
            },
          }
        : {}),
      // One file has nobody who tells of it; looks at an interval find what other processes did.
      onChange: () => () => undefined,
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    state.close();
    throw error;
  }
}
