// How long questions to a large audit take, in both engines, and what it takes to remove a day of it in PostgreSQL:
// npm run bench -- audit [--rows 10000000] [--engine sqlite|postgres] [--save]

import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from 'pg';

import { loadNow, machineLine } from './report/machine.ts';
import { saveSection } from './report/saved-section.ts';
import { median } from './report/statistics.ts';
import { format, table } from './report/table.ts';
import { openStore } from '../src/store/open-store.ts';
import type { AuditPage } from '../src/store/audit-search.ts';
import type { AuditFilter } from '../src/store/audit-statement.ts';
import { postgresAddress } from '../src/store/postgres/postgres-address.ts';
import { PostgresAuditDays } from '../src/store/postgres/postgres-audit-days.ts';
import { dayMs, placesOfDay } from '../src/store/postgres/postgres-audit-days-schema.ts';
import { PostgresChain } from '../src/store/postgres/postgres-chain.ts';
import { PostgresDatabase } from '../src/store/postgres/postgres-database.ts';
import type { AuditStore, Store } from '../src/store/store.ts';
import { startPostgres } from '../test/support/postgres-server.ts';

/** Hundred events a second, so ten million are a bit more than a day. */
const firstMs = Date.parse('2026-01-01T00:00:00Z');
const stepMs = 10;
const rounds = 15;
const bytesPerRow = 2_000;

/** One row by its number `i`, in the words that both engines have: 20,000 sessions, 2,000 principals, a thousand hosts of uneven use. */
const host = `CASE WHEN i % 1000000 = 7 THEN 'rare.example' WHEN i % 5000 = 9 THEN 'h' || (i % 7) || '.below.example'
  ELSE 'h' || (((i * 7919) % 1000) * ((i * 104729) % 1000) / 1000) || '.example.com' END`;
const verdict = `CASE WHEN i % 1000000 = 5 THEN 'unknown' WHEN i % 50 = 0 THEN 'deny' ELSE 'allow' END`;
const kind = `CASE WHEN i % 1000000 = 3 THEN 'alarm' WHEN i % 100 = 1 THEN 'session' ELSE 'exchange' END`;
const session = `'session-' || ((i * 31) % 20000)`;
const principal = `'https://issuer.example|user-' || ((i * 31) % 2000)`;

interface Rows {
  readonly hex: (value: string, digits: number) => string;
  readonly seconds: string;
}

const timeMs = `(${firstMs} + i * ${stepMs})`;

function trace({ hex, seconds }: Rows): string {
  return `${hex(seconds, 8)} || ${hex('((i * 2654435761) % 4294967291)', 8)} || '0123456789abcdef'`;
}

function event(rows: Rows): string {
  const text = (name: string, value: string): string => `'"${name}":"' || ${value} || '",'`;
  return [
    `'{"v":1,' || ${text('id', idOf(rows))}`,
    `'"time":"2026-01-01T00:00:00.000Z",'`,
    text('kind', kind),
    text('traceId', trace(rows)),
    text('sessionId', session),
    text('principal', principal),
    text('verdict', verdict),
    text('host', host),
    `'"rule":"api","policyVersion":"0123456789ab","scheme":"https","port":443,"method":"GET","protocol":"http/1.1",'`,
    `'"status":200,"requestBytes":0,"responseBytes":12345,"durationMs":21.5,"path":"/repos/acme/app/issues/' || i || '"}'`,
  ].join(' || ');
}

function idOf({ hex }: Rows): string {
  return `${hex(timeMs, 12)} || '-' || ${hex('i', 8)}`;
}

const ofSqlite: Rows = {
  hex: (value, digits) => `printf('%0${digits}x', ${value})`,
  seconds: `(${timeMs} / 1000)`,
};
const ofPostgres: Rows = {
  hex: (value, digits) => `lpad(to_hex((${value})::bigint), ${digits}, '0')`,
  seconds: `(${timeMs} / 1000)`,
};

/** Beside the store's own way, which takes an hour for as many: without indexes, which are made of all at once then. */
function fillSqlite(path: string, rows: number): void {
  using database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA wal_autocheckpoint = 20000');
  const indexes = database
    .prepare(
      `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'audit' AND sql IS NOT NULL`,
    )
    .all();
  for (const { name } of indexes) database.exec(`DROP INDEX ${String(name)}`);
  const batch = 500_000;
  for (let from = 1; from <= rows; from += batch) {
    database.exec(`
      INSERT INTO audit (id, time_ms, session_id, verdict, kind, event, counted)
      WITH RECURSIVE n (i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.min(rows, from + batch - 1)})
      SELECT ${idOf(ofSqlite)}, ${timeMs}, ${session}, ${verdict}, ${kind}, ${event(ofSqlite)}, 1 FROM n`);
    console.error(`sqlite: ${Math.min(rows, from + batch - 1)} rows`);
  }
  for (const { sql } of indexes) database.exec(String(sql));
  database.exec(
    `INSERT INTO audit_mark (sequence, high_ms) SELECT sequence, time_ms FROM audit WHERE sequence % 1000 = 0`,
  );
}

/** On which they came: as many events in each, the last of them today. */
const days = 30;

async function fillPostgres(client: Client, rows: number): Promise<void> {
  const { rows: indexes } = await client.query<{ readonly name: string; readonly sql: string }>(
    `SELECT indexname AS name, replace(indexdef, ' ON ONLY ', ' ON ') AS sql FROM pg_indexes
     WHERE tablename = 'audit' AND indexname <> 'audit_pkey'`,
  );
  await client.query(`ALTER TABLE audit DISABLE TRIGGER USER; SET maintenance_work_mem = '512MB'`);
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
  const firstDay = (await today(client)) - days + 1;
  for (let day = firstDay; day < firstDay + days; day += 1)
    await client.query(`SELECT audit_make_day(${day})`);
  await client.query('UPDATE audit_day SET made_ms = 0');
  const batch = 250_000;
  for (let from = 1; from <= rows; from += batch) {
    const to = Math.min(rows, from + batch - 1);
    const place = `(${firstDay} + (i - 1) * ${days} / ${rows}) * ${placesOfDay} + i`;
    await client.query(`INSERT INTO audit (sequence, id, time_ms, session_id, verdict, kind, host, principal, trace, event)
      SELECT ${place}, ${idOf(ofPostgres)}, ${timeMs}, ${session}, ${verdict}, ${kind}, ${host}, ${principal}, ${trace(ofPostgres)}, ${event(ofPostgres)}
      FROM generate_series(${from}::bigint, ${to}::bigint) AS i`);
    console.error(`postgres: ${to} rows`);
  }
  for (const { sql } of indexes) await client.query(sql);
  await client.query(
    `INSERT INTO audit_mark (sequence, high_ms) SELECT sequence, time_ms FROM audit WHERE sequence % 1000 = 0;
     INSERT INTO audit_holding SELECT session_id, count(*), sum(octet_length(event)), 1000, max(sequence), 0, 0 FROM audit GROUP BY session_id;
     UPDATE audit_total SET (events, bytes) = (SELECT sum(events), sum(bytes) FROM audit_holding);
     SELECT setval('audit_place', max(sequence)) FROM audit;
     ALTER TABLE audit ENABLE TRIGGER USER`,
  );
  // What autovacuum does in the end.
  await client.query('VACUUM ANALYZE');
}

async function today(client: Client): Promise<number> {
  const { rows } = await client.query<{ readonly day: string }>(
    'SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::text AS day',
  );
  return Number(rows[0]?.day);
}

/** What it takes to remove the two oldest days, one as retention does, one row by row, while somebody stores an event at a time. */
async function measureRetention(
  store: Store,
  { client, url }: { readonly client: Client; readonly url: string },
): Promise<readonly (readonly string[])[]> {
  await using database = new PostgresDatabase(postgresAddress(url), {});
  const chain = new PostgresChain(database);
  const { privateKey } = generateKeyPairSync('ed25519');
  await chain.begin({ publicKeys: [privateKey], signText: (text) => sign(null, text, privateKey) });
  const parts = new PostgresAuditDays(database, chain);

  const day = (await today(client)) - days + 1;
  let longestMs = 0;
  const storing = new AbortController();
  const stored = (async () => {
    for (let at = 0; !storing.signal.aborted; at += 1) {
      const startMs = performance.now();
      const id = `stored-${at}`;
      const json = JSON.stringify({ v: 1, id });
      await store.audit.append([{ id, timeMs: Date.now(), verdict: 'allow', kind: 'exchange', json }]);
      longestMs = Math.max(longestMs, performance.now() - startMs);
    }
  })();
  const measured = async (name: string, remove: () => Promise<number>): Promise<readonly string[]> => {
    longestMs = 0;
    const startMs = performance.now();
    const count = await remove();
    const tookMs = performance.now() - startMs;
    console.error(`${name}: ${count} events in ${tookMs.toFixed(0)} ms`);
    return [name, String(count), format(tookMs / 1000), format(longestMs)];
  };
  try {
    // What was before there were days goes first, and is empty.
    await parts.dropBefore(day * dayMs);
    const whole = await measured('dropped as a day', () => parts.dropBefore((day + 1) * dayMs));
    const next = `sequence >= ${(day + 1) * placesOfDay} AND sequence < ${(day + 2) * placesOfDay}`;
    const one = await measured('deleted in batches of 500', () => deleteAll(client, next));
    return [whole, one];
  } finally {
    storing.abort();
    await stored;
  }
}

async function deleteAll(client: Client, where: string): Promise<number> {
  for (let count = 0; ;) {
    // In the order of all who remove.
    await client.query('BEGIN; SELECT 1 FROM audit_total FOR UPDATE');
    const { rows } = await client.query<{ readonly list: string | null }>(
      `SELECT array_agg(sequence)::text AS list FROM (SELECT sequence FROM audit WHERE ${where} ORDER BY sequence LIMIT 500) AS one`,
    );
    const { rowCount } = await client.query(
      `DELETE FROM audit WHERE ${where} AND sequence = ANY ('${rows[0]?.list ?? '{}'}'::bigint[])`,
    );
    await client.query('COMMIT');
    count += rowCount ?? 0;
    if ((rowCount ?? 0) < 500) return count;
  }
}

async function searched(audit: AuditStore, filter: AuditFilter, limit = 100): Promise<void> {
  let beforeId: string | undefined;
  let found = 0;
  do {
    const page: AuditPage = await audit.search({
      ...filter,
      limit: limit - found,
      lookMax: 10_000,
      ...(beforeId === undefined ? {} : { beforeId }),
    });
    found += page.events.length;
    beforeId = page.next;
  } while (beforeId !== undefined && found < limit);
}

type Question = readonly [name: string, ask: (audit: AuditStore) => Promise<unknown>];

function questions(rows: number, traceId: string): readonly Question[] {
  const endMs = firstMs + rows * stepMs;
  const search = (name: string, filter: AuditFilter): Question => [name, (audit) => searched(audit, filter)];
  return [
    search('the newest 100', {}),
    search('of one session', { sessionId: 'session-77' }),
    search('of one principal', { principal: 'https://issuer.example|user-77' }),
    search('of a host with many', { host: 'h0.example.com' }),
    search('of a host with one in a million', { host: 'rare.example' }),
    search('of a host that is not there', { host: 'nowhere.example' }),
    search('of hosts below a name', { host: '.below.example' }),
    search('refused, of one host', { host: 'h1.example.com', verdict: 'deny' }),
    search('of a verdict with one in a million', { verdict: 'unknown' }),
    search('alarms', { kind: 'alarm' }),
    search('of one trace', { trace: traceId }),
    search('refused, of one session, in the last hour', {
      sessionId: 'session-50',
      verdict: 'deny',
      fromMs: endMs - 3_600_000,
    }),
    search('of a rare host since an hour', { host: 'rare.example', fromMs: endMs - 3_600_000 }),
    [
      'a page of 1,000 in the order of time',
      (audit) => audit.period({ fromMs: firstMs + (rows / 2) * stepMs, limit: 1000 }),
    ],
  ];
}

async function measure(audit: AuditStore, rows: number): Promise<ReadonlyMap<string, number>> {
  const [event] = await audit.query({ limit: 1 });
  const found = new Map<string, number>();
  for (const [name, ask] of questions(rows, event?.traceId ?? '')) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const startMs = performance.now();
      await ask(audit);
      times.push(performance.now() - startMs);
    }
    found.set(name, median(times));
    console.error(`${name}: ${median(times).toFixed(2)} ms, the first ${times[0]?.toFixed(1)} ms`);
  }
  return found;
}

async function onSqlite(folder: string, rows: number): Promise<ReadonlyMap<string, number>> {
  const path = join(folder, 'state.db');
  await (await openStore(`sqlite:${path}`)).close();
  fillSqlite(path, rows);
  await using store = await openStore(`sqlite:${path}`);
  return await measure(store.audit, rows);
}

interface OfPostgres {
  readonly times: ReadonlyMap<string, number>;
  readonly retention: readonly (readonly string[])[];
}

async function onPostgres(rows: number): Promise<OfPostgres> {
  await using server = await startPostgres();
  const url = server.url('postgres');
  await (await openStore(url)).close();
  const client = new Client({ host: server.socketDirectory, port: server.port, user: 'postgres' });
  await client.connect();
  try {
    await fillPostgres(client, rows);
    await using store = await openStore(url);
    const times = await measure(store.audit, rows);
    return { times, retention: await measureRetention(store, { client, url }) };
  } finally {
    await client.end();
  }
}

export async function benchAudit(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '10000000' },
      engine: { type: 'string' },
      save: { type: 'boolean', default: false },
    },
  });
  const rows = Number(values.rows);
  const loadAtStart = loadNow();
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-bench-'));
  try {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < rows * bytesPerRow) throw new Error(`${folder} has no room for ${rows} rows`);
    const sqlite = values.engine === 'postgres' ? undefined : await onSqlite(folder, rows);
    await rm(folder, { recursive: true });
    const postgres = values.engine === 'sqlite' ? undefined : await onPostgres(rows);
    const names = [...(sqlite ?? postgres?.times ?? new Map<string, number>()).keys()];
    const cell = (found: ReadonlyMap<string, number> | undefined, name: string): string =>
      found === undefined ? '–' : format(found.get(name) ?? Number.NaN);
    const lines = names.map((name) => [name, cell(sqlite, name), cell(postgres?.times, name)]);
    const machine = machineLine(loadAtStart, [`${rows} events, median of ${rounds}, milliseconds`]);
    const removal = table(
      ['a day of PostgreSQL', 'events', 'seconds', 'longest batch of a writer meanwhile, ms'],
      postgres?.retention ?? [],
    );
    const text = `${machine}.\n\n${table(['up to 100 events', 'SQLite', 'PostgreSQL'], lines)}\n\n${removal}`;
    console.log(text);
    if (values.save) await saveSection('audit', text);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
