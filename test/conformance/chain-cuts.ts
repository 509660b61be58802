// What every engine of the store must do with what retention removes of a chain: who has the database leads it to sign nothing that was not
// there, and hides nothing behind what it removed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChainReader } from '../../src/store/chain/audit-chain.ts';
import { type CutRun, readCut } from '../../src/store/chain/chain-statements.ts';
import { LinkHasher } from '../../src/store/chain/link-hash.ts';
import { type ChainReport, verifyChain } from '../../src/store/chain/verify-chain.ts';
import type { Store } from '../../src/store/store.ts';
import { type AttackedStore, chainSigner, kindsOf, readerOf, snapshotOf, storeChained } from './chain.ts';

const hasher = new LinkHasher();

/** Makes links so old that retention takes them, and each go on from the one before; gives what would come behind. */
async function age(attacked: AttackedStore, number: number, first: number, last: number): Promise<string> {
  const rows = await attacked.store.audit.chain.rows(0, 1_000_000);
  let before: string | undefined;
  for (const { place, facts, sequence } of rows) {
    if (place?.number !== number || place.link < first || place.link > last) continue;
    before ??= place.before;
    await attacked.run(
      `UPDATE audit SET time_ms = 1, link_before = '${before}' WHERE sequence = ${sequence}`,
    );
    before = hasher.ofStored(before, place.link, { ...facts, timeMs: 1 })!;
  }
  return before!;
}

interface InventedRow {
  readonly id: string;
  readonly sequence: number;
  readonly timeMs: number;
  readonly chain?: number | null;
  readonly link: number | null;
  readonly before: string | null;
}

function put(attacked: AttackedStore, { chain = 1, ...row }: InventedRow): Promise<void> {
  const { id, sequence, timeMs, link, before } = row;
  const placed = `${chain}, ${link}, ${before === null ? null : `'${before}'`}`;
  return attacked.run(
    `INSERT INTO audit (sequence, id, time_ms, verdict, kind, event, chain, link, link_before)
     VALUES (${sequence}, '${id}', ${timeMs}, 'allow', 'exchange', '{"v":1,"id":"${id}"}', ${placed})`,
  );
}

/** What retention says of a link of chain 1. */
async function runAt(store: Store, link: number): Promise<CutRun> {
  const row = await store.audit.chain.cut(1, link);
  return readCut(row!.statement)!.runs.find(({ last }) => last >= link)!;
}

/** @param open each one empty */
export function chainCutConformance(name: string, open: () => Promise<AttackedStore>): void {
  const signer = chainSigner();
  const verify = (store: Store, period = {}): Promise<ChainReport> =>
    verifyChain(store.audit.chain, signer.publicKeys, period);

  describe(`chain conformance, what is removed: ${name}`, () => {
    test('retention that is led to an end under a head, with a link behind it, signs none of what a head or an opening denies', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 100);
      await store.audit.chain.end();
      await using other = await attacked.reopen();
      await other.audit.chain.begin(signer);
      await storeChained(other, 300, 50);
      await other.audit.chain.signHead();
      const end = await age(attacked, 1, 61, 100);
      await put(attacked, { id: 'invented', sequence: 900_000, timeMs: 1, link: 101, before: end });
      assert.ok((await other.audit.prune({ beforeMs: 1000, batch: 500 })) > 0);
      assert.deepEqual(kindsOf(await verify(store)), ['cut_tail']);
      // The opening of the other one says it too.
      await attacked.run('DELETE FROM audit_head WHERE chain = 1');
      assert.deepEqual(kindsOf(await verify(store)), ['cut_tail']);
    });

    test('retention that is led to the end of a chain without its heads is found by the opening behind it', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 100);
      await store.audit.chain.end();
      await using other = await attacked.reopen();
      await other.audit.chain.begin(signer);
      await storeChained(other, 300, 50);
      await attacked.run('DELETE FROM audit_head');
      const end = await age(attacked, 1, 61, 100);
      await put(attacked, { id: 'invented', sequence: 900_000, timeMs: 1, link: 101, before: end });
      await other.audit.prune({ beforeMs: 1000, batch: 500 });
      assert.deepEqual(kindsOf(await verify(store)), ['cut_tail']);
    });

    test('what is put in the place of removed events is found, at the beginning and within', async () => {
      for (const link of [1, 10, 30]) {
        await using attacked = await open();
        const { store } = attacked;
        await store.audit.chain.begin(signer);
        await storeChained(store, 0, 100);
        await store.audit.chain.signHead();
        await store.audit.prune({ beforeMs: 1_000_030, batch: 500 });
        assert.deepEqual((await verify(store)).findings, []);
        const { before, hash } = await runAt(store, 1);
        for (const from of [before, hash]) {
          const id = `invented${from}`;
          await put(attacked, { id, sequence: link, timeMs: 2_000_000, link, before: from });
          const report = await verify(store);
          assert.ok(
            report.findings.some((one) => one.kind === 'inserted' && one.link === link),
            `${link} ${JSON.stringify(report.findings)}`,
          );
          await attacked.run(`DELETE FROM audit WHERE id = '${id}'`);
        }
      }
    });

    test('kept events in front of removed ones do not go with them', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 500, 59);
      await storeChained(store, 0, 2);
      await storeChained(store, 600, 20);
      await store.audit.chain.signHead();
      await store.audit.prune({ beforeMs: 1_000_010, batch: 500 });
      const end = await age(attacked, 1, 40, 59);
      await store.audit.prune({ beforeMs: 1000, batch: 500 });
      await put(attacked, { id: 'invented', sequence: 60, timeMs: 2_000_000, link: 60, before: end });
      assert.ok(kindsOf(await verify(store)).includes('inserted'));
    });

    test('retention leaves the latest head: an end that is cut off behind it is found', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 50);
      await store.audit.chain.signHead();
      await storeChained(store, 50, 50);
      await store.audit.chain.signHead();
      await store.audit.prune({ beforeMs: 1_000_001, batch: 500 });
      assert.equal((await verify(store)).uncovered, 0);
      // The one before goes with what it covers.
      await store.audit.prune({ beforeMs: 1_000_060, batch: 500 });
      assert.equal((await store.audit.chain.heads(1, 0, 9)).length, 1);
      await attacked.run('DELETE FROM audit WHERE link > 80');
      assert.deepEqual(kindsOf(await verify(store)), ['cut_tail']);
    });

    test('what is put in since a time is found, whatever link it says, and so is what stands before all others', async ({
      mock,
    }) => {
      mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 });
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 10);
      await store.audit.chain.end();
      await storeChained(store, 10, 40);
      await store.audit.chain.signHead();
      mock.timers.tick(10);
      const fromMs = Date.now();
      mock.timers.tick(10);
      await storeChained(store, 200, 20);
      await store.audit.chain.signHead();
      assert.deepEqual((await verify(store, { fromMs })).findings, []);
      const invented = { timeMs: 2_000_000, link: 3, before: 'A'.repeat(43) };
      const sequence = (await store.audit.chain.rows(0, 1000)).at(-1)!.sequence + 4000;
      for (const chain of [1, 2]) {
        await put(attacked, { ...invented, chain, id: 'invented', sequence });
        assert.deepEqual(kindsOf(await verify(store, { fromMs })), ['inserted'], `chain ${chain}`);
        await attacked.run(`DELETE FROM audit WHERE id = 'invented'`);
      }
      await put(attacked, { ...invented, chain: null, link: null, before: null, id: 'first', sequence: -1 });
      // Of a later time than the marks say of that place: a search since then would leave it out.
      assert.deepEqual(kindsOf(await verify(store)), ['changed', 'inserted']);
    });

    test('a row that no gateway stored stops neither retention, nor a start, nor a verification', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 30);
      await store.audit.chain.signHead();
      const long = 'x'.repeat(80_000);
      const changes = [
        `session_id = '${long}'`,
        'link = 1152921504606846976',
        'time_ms = -1152921504606846976',
      ];
      for (const [at, change] of changes.entries()) {
        await attacked.run(`UPDATE audit SET time_ms = 1 WHERE link = ${at + 5}`);
        await attacked.run(`UPDATE audit SET ${change} WHERE link = ${at + 5}`);
        assert.notEqual((await verify(store)).findingsTotal, 0, change.slice(0, 20));
        assert.equal(await store.audit.prune({ beforeMs: 1000, batch: 500 }), 1, change.slice(0, 20));
        assert.notEqual((await verify(store)).findingsTotal, 0, change.slice(0, 20));
      }
      for (const change of changes) {
        await attacked.run(`UPDATE audit SET ${change} WHERE sequence = (SELECT max(sequence) FROM audit)`);
        await using next = await attacked.reopen();
        await next.audit.chain.begin(signer);
        await storeChained(next, 1000 * (1 + changes.indexOf(change)), 1);
      }
    });

    test('heads are read a page at a time as the chain is gone along, and one that somebody put there is told once', async () => {
      await using attacked = await open();
      const { store } = attacked;
      const { chain } = store.audit;
      await chain.begin(signer);
      for (let at = 0; at < 150; at += 1) {
        await storeChained(store, at, 1);
        await chain.signHead();
      }
      const linksOf = async (behind: number, limit: number) =>
        (await chain.heads(1, behind, limit)).map(({ link }) => link);
      assert.deepEqual(await linksOf(0, 2), [1, 2]);
      assert.deepEqual(await linksOf(148, 9), [149, 150]);
      assert.deepEqual(await linksOf(150, 9), []);
      assert.deepEqual(
        [
          (await chain.latestHead(1))?.link,
          (await chain.latestHead(1, 150))?.link,
          await chain.latestHead(1, 1),
        ],
        [150, 149, undefined],
      );
      const asked: [what: 'heads' | 'rows', count: number][] = [];
      const watched: ChainReader = {
        ...readerOf(await snapshotOf(chain)),
        latestHead: (number, before) => chain.latestHead(number, before),
        heads: async (number, behind, limit) => {
          const heads = await chain.heads(number, behind, limit);
          asked.push(['heads', heads.length]);
          return heads;
        },
        rows: async (behind, limit) => {
          const rows = await chain.rows(behind, limit);
          asked.push(['rows', rows.length]);
          return rows;
        },
      };
      const report = await verifyChain(watched, signer.publicKeys, {});
      assert.deepEqual([report.findings, report.events, report.uncovered], [[], 150, 0]);
      assert.equal(asked.findIndex(([what]) => what === 'heads') > 0, true);
      assert.ok(asked.every(([what, count]) => what === 'rows' || count <= 64));
      // One in the middle that says another link than its place, one behind all, and one whose place no program of ours can read.
      await attacked.run(
        `DELETE FROM audit_head WHERE chain = 1 AND link = 70;
         INSERT INTO audit_head (chain, link, is_last, statement, signature)
           SELECT 1, 70, is_last, statement, signature FROM audit_head WHERE chain = 1 AND link = 20;
         INSERT INTO audit_head (chain, link, is_last, statement, signature)
           SELECT 1, 5000, 1, statement, 'x' FROM audit_head WHERE chain = 1 AND link = 150;
         INSERT INTO audit_head (chain, link, is_last, statement, signature)
           SELECT 1, 9223372036854775807, 1, statement, 'x' FROM audit_head WHERE chain = 1 AND link = 150`,
      );
      for (const period of [{}, { fromMs: 1 }]) {
        const { findings, events, uncovered } = await verify(store, period);
        assert.deepEqual(
          findings.map(({ kind }) => kind),
          ['forged', 'forged', 'forged'],
        );
        assert.deepEqual([events, uncovered], [150, 0]);
      }
    });

    test('events of a chain that is not known make nobody read all openings for each', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 200);
      await store.audit.chain.end();
      await attacked.run('UPDATE audit SET chain = 99 WHERE link > 50');
      const { chain } = store.audit;
      let times = 0;
      const report = await verifyChain(
        {
          openings: () => {
            times += 1;
            return chain.openings();
          },
          heads: (number, behind, limit) => chain.heads(number, behind, limit),
          latestHead: (number, before) => chain.latestHead(number, before),
          cut: (number, link) => chain.cut(number, link),
          rows: (behind, limit) => chain.rows(behind, limit),
          marks: (behind, limit) => chain.marks(behind, limit),
          laterThan: (mark) => chain.laterThan(mark),
        },
        signer.publicKeys,
        {},
      );
      assert.ok(report.findingsTotal >= 150);
      assert.equal(times, 2);
    });
  });
}
