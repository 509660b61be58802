// The suites of every engine through PgBouncer, in the mode that shares connections between transactions, which takes more away than the other;
// `npm run test:cluster` runs both.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { raceConformance } from '../../conformance/races.ts';
import { storeConformance } from '../../conformance/store.ts';
import { type Pooler, poolerMissing, startPooler } from '../../support/pgbouncer.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : poolerMissing;

const chosen = (process.env['UPSTREAMPROXY_POOL_MODES'] ?? 'transaction').split(' ');
const modes = (['session', 'transaction'] as const).filter((mode) => chosen.includes(mode));
assert.ok(modes.length > 0, `no mode of PgBouncer is called ${chosen.join(' ')}`);

for (const mode of modes)
  describe(`PostgreSQL behind PgBouncer, pool_mode ${mode}`, { skip }, () => {
    let server: PostgresServer;
    let pooler: Pooler;
    const emptyStore = async (): Promise<Store> => {
      const store = await openStore(pooler.url('suite'));
      const { rows } = await server.run(
        `SELECT string_agg(quote_ident(tablename), ', ') AS names FROM pg_tables WHERE schemaname = 'public'
           AND tablename NOT IN ('schema_version', 'change_counter', 'audit_total', 'audit_day', 'audit_use_state')`,
        'suite',
      );
      await server.run(
        `TRUNCATE ${String(rows[0]?.names)}; UPDATE audit_total SET events = 0, bytes = 0`,
        'suite',
      );
      return store;
    };
    before(async () => {
      server = await startPostgres();
      await server.run('CREATE DATABASE suite');
      pooler = await startPooler(server, mode);
    });
    after(async () => {
      await pooler?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    });

    storeConformance(`postgres, pooled by ${mode}`, emptyStore);
    test('whoever follows hears of what another process ended', async () => {
      await using store = await emptyStore();
      await using other = await openStore(pooler.url('suite'));
      const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let told = 0;
      store.onChange(() => {
        told += 1;
        (told === 1 ? first : second).resolve();
      });
      await first.promise;
      await other.sessions.enrol(newSession('a'), { enrolmentsPerTokenMax: 10 });
      await other.sessions.end('a', { state: 'revoked', reason: 'x' }, 2000);
      await second.promise;
      assert.equal((await store.sessions.endingsSince(0)).endings.length, 1);
    });
    raceConformance(
      `postgres, pooled by ${mode}`,
      async () => {
        const one = await emptyStore();
        const other = await openStore(pooler.url('suite'));
        const end = async (): Promise<void> => void (await Promise.all([one.close(), other.close()]));
        return { one, other, [Symbol.asyncDispose]: end };
      },
      4,
    );
  });
