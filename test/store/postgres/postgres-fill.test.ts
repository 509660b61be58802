// Two that fill one store at once: one does, and the other is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import type { StoreFill } from '../../../src/store/portable/store-rows.ts';
import { postgresAddress } from '../../../src/store/postgres/postgres-address.ts';
import { PostgresDatabase } from '../../../src/store/postgres/postgres-database.ts';
import { fillPostgres } from '../../../src/store/postgres/postgres-fill.ts';
import { postgresBinaries, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

test(
  'while one call fills a store, another one is refused, and the first one goes on',
  { skip },
  async () => {
    await using server = await startPostgres();
    const url = server.url('postgres');
    await (await openStore(url)).close();
    await using database = new PostgresDatabase(postgresAddress(url), {});
    const [begun, goOn] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const fill = (wait: () => Promise<unknown>): StoreFill => ({
      begin: () => ({
        numbers: { changes: 7, auditSequence: 0 },
        // oxlint-disable-next-line require-yield -- It has no rows, but takes its time.
        batches: async function* batches() {
          await wait();
        },
      }),
      check: ({ numbers }) => {
        assert.equal(numbers.changes, 7);
        return Promise.resolve();
      },
    });
    const first = fillPostgres(
      database,
      fill(() => {
        begun.resolve(undefined);
        return goOn.promise;
      }),
      'an origin',
    );
    await Promise.race([begun.promise, first]);
    const never = fill(() => assert.fail('it was filled twice'));
    await using other = new PostgresDatabase(postgresAddress(url), {});
    await assert.rejects(fillPostgres(other, never, 'an origin'), {
      code: 'store_unavailable',
      message: /is being filled by another/,
    });
    goOn.resolve(undefined);
    assert.equal(await first, 'filled');
    assert.equal(await fillPostgres(other, never, 'an origin'), 'already');
  },
);
