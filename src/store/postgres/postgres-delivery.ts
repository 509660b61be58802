// Takes over the spools of gateways: a batch and how far the spool is with it are one transaction, so that whoever delivers again, or two
// who deliver the same, store nothing twice and pass over nothing.

import { auditEventVersion } from '../../api/audit-event-version.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AuditDelivery, AuditEntry, SpoolBatch } from '../store.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import { putMarkers } from './postgres-audit-rows.ts';
import type { PostgresChain, PutEvents } from './postgres-chain.ts';
import type { PostgresDatabase, Statements } from './postgres-database.ts';
import { isDataFault } from './postgres-fault.ts';

export class PostgresDelivery implements AuditDelivery {
  readonly #database: PostgresDatabase;
  readonly #chain: PostgresChain;

  constructor(database: PostgresDatabase, chain: PostgresChain) {
    this.#database = database;
    this.#chain = chain;
  }

  async deliver(batch: SpoolBatch): Promise<number> {
    try {
      return await this.#store(batch);
    } catch (error) {
      const isData = error instanceof ProxyError && isDataFault(error.cause);
      if (!isData || batch.records.length === 0) throw error;
      return await this.#deliverInParts(batch);
    }
  }

  /** With events it is one after the other, as whoever else adds some: their numbers are in the order of the commits. */
  async #store(batch: SpoolBatch): Promise<number> {
    if (batch.records.some(({ kind }) => kind === 'event'))
      return await this.#chain.write((statements, put) => deliver(statements, batch, put));
    return await this.#database.transaction((statements) =>
      deliver(statements, batch, async () => undefined),
    );
  }

  async finish(spool: string): Promise<void> {
    await this.#database.run('UPDATE audit_spool SET is_finished = true WHERE id = $1', [spool]);
  }

  /** One record that no table takes must not hold up all others for ever. */
  async #deliverInParts({ spool, after, records }: SpoolBatch): Promise<number> {
    const half = Math.ceil(records.length / 2);
    const [first] = records;
    if (records.length === 1 && first !== undefined) {
      const told = { ...first, entry: unstorable(first.entry) };
      return await this.#store({ spool, after, records: [told] });
    }
    const last = records[half - 1]?.sequence;
    const reached = await this.deliver({ spool, after, records: records.slice(0, half) });
    if (reached !== last) return reached;
    return await this.deliver({ spool, after: reached, records: records.slice(half) });
  }
}

async function deliver(
  statements: Statements,
  { spool, after, records }: SpoolBatch,
  put: PutEvents,
): Promise<number> {
  const events = records.filter(({ kind }) => kind === 'event').map(({ entry }) => entry);
  const opened = records.filter(({ kind }) => kind === 'opened').map(({ entry }) => entry);
  const last = records.at(-1)?.sequence ?? after;
  if (after === 0)
    await statements.run(
      `INSERT INTO audit_spool (id, sequence, delivered_at, is_finished) VALUES ($1, 0, clock_timestamp(), false)
       ON CONFLICT (id) DO NOTHING`,
      [spool],
    );
  const moved = await statements.run(
    `UPDATE audit_spool SET sequence = $3, delivered_at = clock_timestamp() WHERE id = $1 AND sequence = $2`,
    [spool, after, last],
  );
  if (moved === 0)
    return sequenceOf(await statements.get('SELECT sequence FROM audit_spool WHERE id = $1', [spool]));
  if (opened.length > 0) await putMarkers(statements, opened, spool);
  if (events.length > 0) await put(events);
  return last;
}

function sequenceOf(row: StoredRow | undefined): number {
  return row === undefined ? 0 : integerOf(row, 'sequence');
}

/** Says that there was one, under its id; nothing of what could not be stored is in it. */
function unstorable({ id, timeMs, wasOpen }: AuditEntry): AuditEntry {
  const verdict = 'error';
  const kind = 'alarm';
  const event: AuditEvent = {
    v: auditEventVersion,
    id: /^[\w-]{1,64}$/.test(id) ? id : 'unstorable',
    time: new Date(Number.isFinite(timeMs) ? timeMs : 0).toISOString(),
    kind,
    action: 'audit_unstorable',
    traceId: '0'.repeat(32),
    verdict,
    errorCode: 'audit_unavailable',
    message: 'The database refused an event for what is in it; the event is lost.',
  };
  return {
    id: event.id,
    verdict,
    kind,
    timeMs: Date.parse(event.time),
    json: JSON.stringify(event),
    ...(wasOpen === true ? { wasOpen } : {}),
  };
}
