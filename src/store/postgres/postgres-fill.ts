// An empty PostgreSQL store is filled with the rows of another one, and nobody takes it for a store before all of them are there.

import { defaultLimits } from '../../protocol/limits.ts';
import { portableTables } from '../portable/portable-tables.ts';
import type { StoreFill, StoreNumbers } from '../portable/store-rows.ts';
import { beingFilled, fillingTable, notEmpty } from '../portable/unfit-store.ts';
import { textOf } from '../stored-row.ts';
import type { PostgresDatabase, ScriptRun } from './postgres-database.ts';
import { isLockTimeout } from './postgres-fault.ts';
import { AuditFill, clearAudit, markFilling, requireOwnAudit } from './postgres-fill-audit.ts';
import { insertRows } from './postgres-insert.ts';
import { lockClasses } from './postgres-lock.ts';
import { allBatches, auditSequence, numbersOf, waitForOtherSide } from './postgres-rows.ts';

/** Which store the state was copied from, so that a copy that is there is not taken for another one. */
const originTable = 'store_origin';

/** For one statement. */
const timeoutMs = defaultLimits.storeMigrationTimeoutMs;

/** Whoever stores events locks their sums first. */
const lockedTables = ['schema_version', 'audit_total', ...otherTables()];

/**
 * Marks an empty store, and fills it: the audit some days at a time, all else in one transaction. Until its commit nobody opens the store, or sees
 * or writes anything of it, and a cut leaves it marked: the next call begins anew. `already`: it was filled from that origin before.
 * @throws ProxyError store_unavailable, also where another call fills it, config_invalid where it is not empty, and what `begin` and `check` throw
 */
export function fillPostgres(
  database: PostgresDatabase,
  fill: StoreFill,
  origin?: string,
): Promise<'filled' | 'already'> {
  return database.script(timeoutMs, async (run) => {
    await lockFilling(run);
    return await fillAlone(database, { ...fill, origin, requireAlone: () => requireLock(run) });
  });
}

/** Held by a transaction that does nothing else, as the audit is filled in many: between them, another call could clear what they have stored. */
async function lockFilling(run: ScriptRun): Promise<void> {
  await run('SET LOCAL idle_in_transaction_session_timeout = 0');
  // A call that was cut off just now may not have left yet.
  await run(`SET LOCAL lock_timeout = ${defaultLimits.storeStatementTimeoutMs}`);
  try {
    await run('SELECT pg_advisory_xact_lock($1, 0)', [lockClasses.filling]);
  } catch (error) {
    throw isLockTimeout(error) ? beingFilled() : error;
  }
}

/** Its connection may have ended, and the lock with it. */
async function requireLock(run: ScriptRun): Promise<void> {
  await run('SELECT 1');
}

interface FillAlone extends StoreFill {
  readonly origin: string | undefined;
  /** Throws where another call may fill the store by now. */
  readonly requireAlone: () => Promise<void>;
}

async function fillAlone(
  database: PostgresDatabase,
  { begin, check, origin, requireAlone }: FillAlone,
): Promise<'filled' | 'already'> {
  const begun = await database.script(timeoutMs, async (run) => {
    if (!(await lockEmpty(run, origin))) return 'already';
    // The trigger would change the sums with each batch, and they are locked. Only the owner may: whoever is not is told before anything is marked.
    await run('ALTER TABLE ONLY audit DISABLE TRIGGER audit_stored');
    return (await markFilling(run)) ? 'again' : 'first';
  });
  if (begun === 'already') return 'already';
  if (begun === 'again') await clearAudit(database);
  return await database.script(timeoutMs, async (run) => {
    await waitForOtherSide(run);
    if (!(await lockEmpty(run, origin))) return 'already';
    const source = begin();
    const inserts = new Map<string, string>();
    const audit = new AuditFill(database);
    for await (const batch of source.batches())
      if (batch.table === 'audit') await audit.add(batch);
      else await insertRows(run, batch, inserts);
    await audit.sum();
    await run(
      'UPDATE audit_total SET (events, bytes) = (SELECT coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM audit_holding)',
    );
    await run('ALTER TABLE ONLY audit ENABLE TRIGGER audit_stored');
    await setNumbers(run, source.numbers);
    await check({ numbers: await numbersOf(run), batches: () => allBatches(run) });
    await holdLeftOpen(run);
    if (origin !== undefined) {
      await run(`CREATE TABLE ${originTable} (id text NOT NULL, at timestamptz NOT NULL)`);
      await run(`INSERT INTO ${originTable} VALUES ($1, clock_timestamp())`, [origin]);
    }
    await run(`DROP TABLE IF EXISTS ${fillingTable}`);
    await requireAlone();
    return 'filled';
  });
}

function otherTables(): readonly string[] {
  return portableTables.map(({ name }) => name).filter((name) => name !== 'audit');
}

/** False: it was filled from that origin. Throws `config_invalid` where one has rows. */
async function lockEmpty(run: ScriptRun, origin: string | undefined): Promise<boolean> {
  await run(`SET LOCAL lock_timeout = ${defaultLimits.storeStatementTimeoutMs}`);
  // Who opens the store reads its version first, and waits here.
  await run(`LOCK TABLE ${lockedTables.join(', ')} IN ACCESS EXCLUSIVE MODE`);
  if (origin !== undefined && (await originOf(run)) === origin) return false;
  const requireEmpty = async (name: string): Promise<void> => {
    if ((await run(`SELECT 1 AS found FROM ${name} LIMIT 1`)).rows.length > 0) throw notEmpty(name);
  };
  const isOfAudit = (name: string): boolean => name.startsWith('audit_');
  for (const name of otherTables()) if (!isOfAudit(name)) await requireEmpty(name);
  // Behind them: it counts all events.
  await requireOwnAudit(run);
  for (const name of otherTables()) if (isOfAudit(name)) await requireEmpty(name);
  return true;
}

async function originOf(run: ScriptRun): Promise<string | undefined> {
  const { rows } = await run('SELECT to_regclass($1) IS NOT NULL AS known', [originTable]);
  if (rows[0]?.['known'] !== true) return undefined;
  const [row] = (await run(`SELECT id FROM ${originTable}`)).rows;
  return row === undefined ? undefined : textOf(row, 'id');
}

async function setNumbers(run: ScriptRun, { changes, auditSequence: audit }: StoreNumbers): Promise<void> {
  await run('UPDATE change_counter SET value = $1::bigint', [changes]);
  if (audit > 0) await run(`SELECT setval('${await auditSequence(run)}', $1::bigint)`, [audit]);
  // The next act would have the number of one that is there.
  await run(
    `SELECT setval(pg_get_serial_sequence('operator_act', 'sequence'), max(sequence)) FROM operator_act HAVING count(*) > 0`,
  );
}

/** What runs at a gateway that is still to come has the time to tell how it ended. */
async function holdLeftOpen(run: ScriptRun): Promise<void> {
  await run(
    `INSERT INTO audit_spool (id, sequence, delivered_at, is_finished)
     SELECT DISTINCT holder, 0, clock_timestamp(), false FROM audit_open ON CONFLICT (id) DO NOTHING`,
  );
}
