// Spools of gateways, delivered to PostgreSQL: in order, exactly once, whoever delivers and whatever ends in between.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditDelivery, AuditEntry, SpooledEntry, Store } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
let server: PostgresServer;
let store: Store;
let delivery: AuditDelivery;

function spooled(sequence: number, entry: AuditEntry, kind: SpooledEntry['kind'] = 'event'): SpooledEntry {
  return { sequence, kind, entry };
}

const idOf = (sequence: number): string => `e${String(sequence).padStart(4, '0')}`;

/** Records from one number to another. */
function run(from: number, through: number): readonly SpooledEntry[] {
  return Array.from({ length: through - from + 1 }, (_, index) =>
    spooled(from + index, auditEntry(idOf(from + index))),
  );
}

async function ids(): Promise<readonly string[]> {
  return (await store.audit.query({ limit: 10_000 })).map(({ id }) => id);
}

describe('delivery of spools to PostgreSQL', { skip }, () => {
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());
  afterEach(() => store.close());
  beforeEach(async () => {
    await server.run('DROP DATABASE IF EXISTS state WITH (FORCE)');
    await server.run('CREATE DATABASE state');
    store = await openStore(server.url('state'));
    assert.ok(store.audit.delivery);
    delivery = store.audit.delivery;
  });

  test('a batch is stored once, in order, and who delivers it again is told how far the spool is', async () => {
    assert.equal(await delivery.deliver({ spool: 'a', after: 0, records: run(1, 3) }), 3);
    assert.equal(await delivery.deliver({ spool: 'a', after: 0, records: run(1, 3) }), 3);
    assert.equal(await delivery.deliver({ spool: 'a', after: 2, records: run(3, 5) }), 3);
    assert.equal(await delivery.deliver({ spool: 'a', after: 3, records: run(4, 5) }), 5);
    assert.equal(await delivery.deliver({ spool: 'a', after: 5, records: [] }), 5);
    assert.deepEqual(await ids(), [1, 2, 3, 4, 5].map(idOf));
    assert.deepEqual(await store.audit.held(), {
      events: 5,
      bytes: 5 * Buffer.byteLength(auditEntry('e0001').json),
    });
  });

  test('a spool that the store does not know is told so, and delivered from what is left of it', async () => {
    assert.equal(await delivery.deliver({ spool: 'b', after: 7, records: run(8, 9) }), 0);
    assert.deepEqual(await ids(), []);
    assert.equal(await delivery.deliver({ spool: 'b', after: 0, records: run(5, 9) }), 9);
    assert.deepEqual(await ids(), [5, 6, 7, 8, 9].map(idOf));
  });

  test('two who race deliver each record once, and none passes over one', async () => {
    await using other = await openStore(server.url('state'));
    const second = other.audit.delivery;
    assert.ok(second);
    const last = 600;
    const race = async (by: AuditDelivery, size: number): Promise<void> => {
      for (let at = 0; at < last;) {
        const records = run(at + 1, Math.min(last, at + size));
        at = await by.deliver({ spool: 'r', after: at, records });
      }
    };
    await Promise.all([race(delivery, 7), race(second, 11)]);
    assert.deepEqual(
      await ids(),
      run(1, last).map(({ entry }) => entry.id),
    );
  });

  test('what a spool left open is left once nothing follows from it, and not before', async () => {
    const open = auditEntry('open', { verdict: 'unknown' });
    const ended = auditEntry('ended', { wasOpen: true });
    const records = [
      spooled(1, open, 'opened'),
      spooled(2, auditEntry('ended', { verdict: 'unknown' }), 'opened'),
      spooled(3, ended),
    ];
    assert.equal(await delivery.deliver({ spool: 'o', after: 0, records }), 3);
    assert.deepEqual(await store.audit.leftOpen(10), []);
    await delivery.finish('o');
    assert.deepEqual(
      (await store.audit.leftOpen(10)).map(({ id }) => id),
      ['open'],
    );
    await store.audit.append([{ ...open, wasOpen: true }]);
    assert.deepEqual(await store.audit.leftOpen(10), []);
    await server.run(`UPDATE audit_spool SET delivered_at = now() - interval '2 days'`, 'state');
    assert.deepEqual(await store.audit.leftOpen(10), []);
    assert.equal(await delivery.deliver({ spool: 'o', after: 3, records: [] }), 0, 'it was forgotten');
  });

  test('a spool of which nothing came for hours is over, though nobody finished it', async () => {
    const records = [spooled(1, auditEntry('open', { verdict: 'unknown' }), 'opened')];
    await delivery.deliver({ spool: 'gone', after: 0, records });
    await server.run(`UPDATE audit_spool SET delivered_at = now() - interval '3 hours'`, 'state');
    assert.equal((await store.audit.leftOpen(10)).length, 1);
    await delivery.deliver({ spool: 'gone', after: 1, records: [] });
    assert.deepEqual(await store.audit.leftOpen(10), []);
  });

  test('an event that no table takes is an alarm in its place, and holds up no other', async () => {
    // An index takes no key of that length.
    const unstorable = auditEntry('e0002', { sessionId: randomText(20_000) });
    const records = [...run(1, 1), spooled(2, unstorable), ...run(3, 5)];
    assert.equal(await delivery.deliver({ spool: 'p', after: 0, records }), 5);
    assert.deepEqual(await ids(), [1, 2, 3, 4, 5].map(idOf));
    const alarm = await store.audit.find('e0002');
    assert.equal(alarm?.action, 'audit_unstorable');
    assert.equal(alarm?.kind, 'alarm');
  });

  test('a delivery whose server is killed in the middle is stored whole or not at all, and goes on', async () => {
    await delivery.deliver({ spool: 'k', after: 0, records: run(1, 100) });
    const late = delivery.deliver({ spool: 'k', after: 100, records: run(101, 400) }).catch(() => undefined);
    await server.crash();
    await late;
    for (let at = 100; at < 400;)
      at = await delivery.deliver({ spool: 'k', after: at, records: run(at + 1, 400) }).catch(() => at);
    assert.deepEqual(
      await ids(),
      run(1, 400).map(({ entry }) => entry.id),
    );
  });
});

/** What no compression makes short. */
function randomText(length: number): string {
  let state = 1;
  const next = (): number => (state = (state * 48_271) % 2_147_483_647);
  return Array.from({ length }, () => String.fromCharCode(33 + (next() % 90))).join('');
}
