// A database that is there and slow is not one that is away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from 'pg';
import { openStore } from '../../../src/store/open-store.ts';
import { askedStore, StoreOutage } from '../../../src/store/store-outage.ts';
import { newSession } from '../../conformance/new-session.ts';
import { waitUntil } from '../../support/program.ts';
import { postgresBinaries, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

test(
  'forty searches of an audit that is locked are no outage, and keep no session from being enrolled',
  { skip },
  async () => {
    await using server = await startPostgres();
    await server.run('CREATE DATABASE load');
    await using real = await openStore(server.url('load'));
    const { probe } = real;
    assert.ok(probe !== undefined);
    const told: string[] = [];
    await using outage = new StoreOutage({ probe, outageMs: 60_000, onBegin: (why) => told.push(why) });
    const store = askedStore(real, outage);
    const locker = new Client({ connectionString: server.url('load') });
    await locker.connect();
    try {
      await locker.query('BEGIN; LOCK TABLE audit IN ACCESS EXCLUSIVE MODE');
      let failed = 0;
      const searches = Array.from({ length: 40 }, () =>
        store.audit.query({ limit: 1 }).catch((error: unknown) => {
          failed += 1;
          assert.doesNotMatch(String(error), /is away/);
        }),
      );
      assert.equal(
        (await store.sessions.enrol(newSession('a'), { enrolmentsPerTokenMax: 10 })).kind,
        'enrolled',
      );
      assert.equal(failed, 0);
      // The first statements have their deadline, after the time that a question has which asks whether the store is there.
      await waitUntil('a search was given up', () => failed > 0);
      assert.equal((await store.sessions.find('a'))?.state, 'enrolled');
      await locker.query('ROLLBACK');
      await Promise.all(searches);
      assert.deepEqual(told, []);
    } finally {
      await locker.end();
    }
  },
);
