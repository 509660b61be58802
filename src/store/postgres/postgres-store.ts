// The engine for several gateways: one PostgreSQL database, a bounded pool of connections, and one that notices changes.

import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Store } from '../store.ts';
import { PostgresAccess } from './postgres-access.ts';
import { postgresAddress } from './postgres-address.ts';
import { PostgresActs, storeOfOperator } from './postgres-acts.ts';
import { PostgresAudit } from './postgres-audit.ts';
import { PostgresBudgets } from './postgres-budgets.ts';
import { PostgresFirstSeen } from './postgres-first-seen.ts';
import { PostgresKnownIds } from './postgres-known-ids.ts';
import { PostgresChanges } from './postgres-changes.ts';
import { openingFault } from './postgres-fault.ts';
import { connectionConfig, type PostgresAccess as Access, serverFirstMs } from './postgres-connection.ts';
import { PostgresDatabase } from './postgres-database.ts';
import { PostgresShare } from './postgres-share.ts';
import { PostgresGateways, PostgresIdentity } from './postgres-gateways.ts';
import { PostgresHolder } from './postgres-holder.ts';
import { PostgresKeptTokens } from './postgres-kept-tokens.ts';
import { PostgresLeases } from './postgres-leases.ts';
import { migrate, type OpeningOptions } from './postgres-migrate.ts';
import { PostgresOperators } from './postgres-operators.ts';
import { PostgresPolicies } from './postgres-policies.ts';
import { PostgresPresence } from './postgres-presence.ts';
import { PostgresProofs } from './postgres-proofs.ts';
import { PostgresQuestions } from './postgres-questions.ts';
import { PostgresSessions } from './postgres-sessions.ts';
import { PostgresUses } from './postgres-uses.ts';
import { PostgresTreeHeads } from './postgres-tree-heads.ts';
import { PostgresTokens } from './postgres-tokens.ts';

/** Opens the database, and brings its schema to this program's version. Throws ProxyError `config_invalid` or `store_unavailable`. */
export async function openPostgresStore(
  url: string,
  options: Access & OpeningOptions & { readonly isOperator?: boolean | undefined } = {},
): Promise<Store> {
  const address = postgresAddress(url);
  const database = new PostgresDatabase(address, options);
  try {
    await migrate(database, options);
  } catch (error) {
    await database.close();
    throw openingFault(error);
  }
  const holder = new PostgresHolder(database, connectionConfig(address, options));
  const probing = new PostgresDatabase(address, { ...options, limits: probeLimits(options) });
  const probed = new PostgresChanges(probing);
  const share = new PostgresShare(database.label);
  const close = async (): Promise<void> => {
    await holder.close();
    await Promise.all([database.close(), probing.close()]);
  };
  const store: Store = {
    sessions: new PostgresSessions(database, share),
    presence: new PostgresPresence(database),
    tokens: new PostgresTokens(database),
    proofs: new PostgresProofs(database),
    access: new PostgresAccess(database),
    questions: new PostgresQuestions(database),
    budgets: new PostgresBudgets(database),
    knownIds: new PostgresKnownIds(database),
    firstSeen: new PostgresFirstSeen(database),
    treeHeads: new PostgresTreeHeads(database),
    leases: new PostgresLeases(database),
    keptTokens: new PostgresKeptTokens(database),
    operators: new PostgresOperators(database),
    gateways: new PostgresGateways(database),
    identity: new PostgresIdentity(database),
    policies: new PostgresPolicies(database),
    changes: new PostgresChanges(database),
    audit: new PostgresAudit(database, holder, share),
    uses: new PostgresUses(database, share),
    acts: new PostgresActs(database),
    probe: async () => void (await probed.newest()),
    onChange: (listener) => holder.onChange(listener),
    close,
    [Symbol.asyncDispose]: close,
  };
  return options.isOperator === true ? await storeOfOperator(store, database) : store;
}

/** Of the one connection for the question whether the server is there: whatever waits in the pool, it waits behind nothing. */
function probeLimits({ limits = defaultLimits }: Access): Limits {
  const { storeProbeTimeoutMs } = defaultLimits;
  return {
    ...limits,
    storeConnectionsMax: 1,
    // Given up with the question, so that the next one has a connection that is free.
    storeConnectTimeoutMs: Math.min(limits.storeConnectTimeoutMs, storeProbeTimeoutMs),
    storeStatementTimeoutMs: Math.min(limits.storeStatementTimeoutMs, storeProbeTimeoutMs - serverFirstMs),
  };
}
