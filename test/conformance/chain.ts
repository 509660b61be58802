// What every engine of the store must do with the chain of the audit: nobody who writes to the database changes what was stored unseen.

import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import type { ChainedRow, ChainReader, OpeningRow, TimeMark } from '../../src/store/chain/audit-chain.ts';
import type { CutRow, HeadRow } from '../../src/store/chain/chain-cuts.ts';
import type { ChainSigner } from '../../src/store/chain/chain-statements.ts';
import { type ChainReport, verifyChain } from '../../src/store/chain/verify-chain.ts';
import type { AuditEntry, Store } from '../../src/store/store.ts';
import { auditEntry } from './audit.ts';

/** A store, and somebody who has its database. */
export interface AttackedStore extends AsyncDisposable {
  readonly store: Store;
  /** Another gateway on it, or the same one behind a restart. */
  reopen(): Promise<Store>;
  run(sql: string): Promise<void>;
}

export function chainSigner(privateKey: KeyObject = generateKeyPairSync('ed25519').privateKey): ChainSigner {
  return { publicKeys: [privateKey], signText: (text) => sign(null, text, privateKey) };
}

const hosts = ['example.com', 'origin.test', 'registry.example'];

/** Events of several sessions, verdicts and hosts. */
function chainEntries(from: number, count: number, fromMs: number): readonly AuditEntry[] {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index;
    const id = `c${String(number).padStart(6, '0')}`;
    const [verdict, sessionId] = [number % 5 === 0 ? 'deny' : 'allow', `s${number % 3}`] as const;
    const timeMs = fromMs + number;
    const event = {
      v: 1,
      id,
      kind: 'exchange',
      verdict,
      sessionId,
      traceId: `t${number}`,
      host: hosts[number % 3],
      text: 'ä€😀',
    };
    return auditEntry(id, { verdict, sessionId, timeMs, json: JSON.stringify(event) });
  });
}

/** Stores them, in batches of several sizes. */
export async function storeChained(
  store: Store,
  from: number,
  count: number,
  fromMs = 1_000_000,
): Promise<void> {
  for (let at = from; at < from + count;) {
    const size = Math.min(1 + (at % 7), from + count - at);
    await store.audit.append(chainEntries(at, size, fromMs));
    at += size;
  }
}

/** All that the store says of chains, as it is now, in memory. */
export interface ChainSnapshot {
  openings: OpeningRow[];
  heads: Map<number, HeadRow[]>;
  cuts: CutRow[];
  rows: ChainedRow[];
  marks: TimeMark[];
}

export async function snapshotOf(reader: ChainReader): Promise<ChainSnapshot> {
  const openings = [...(await reader.openings())];
  const heads = new Map<number, HeadRow[]>();
  const cuts: CutRow[] = [];
  for (const { number } of openings) {
    heads.set(number, [...(await reader.heads(number, 0, 1_000_000))]);
    for (let link = 1; ;) {
      const cut = await reader.cut(number, link);
      if (cut === undefined) break;
      cuts.push(cut);
      link = cut.last + 1;
    }
  }
  const rows = [...(await reader.rows(0, 1_000_000))];
  return { openings, heads, cuts, rows, marks: [...(await reader.marks(0, 1_000_000))] };
}

export function readerOf({ openings, heads, cuts, rows, marks }: ChainSnapshot): ChainReader {
  return {
    openings: async () => openings,
    heads: async (number, behind, limit) =>
      (heads.get(number) ?? []).filter(({ link }) => link > behind).slice(0, limit),
    latestHead: async (number, before = Infinity) => heads.get(number)?.findLast(({ link }) => link < before),
    cut: async (asked, link) => cuts.find(({ number, last }) => number === asked && last >= link),
    rows: async (behind, limit) => rows.filter(({ sequence }) => sequence > behind).slice(0, limit),
    marks: async (behind, limit) => marks.filter(({ sequence }) => sequence > behind).slice(0, limit),
    laterThan: async ({ sequence, highMs }) =>
      rows.find((row) => row.sequence <= sequence && row.facts.timeMs > highMs)?.sequence,
  };
}

export const kindsOf = ({ findings }: ChainReport): readonly string[] =>
  [...new Set(findings.map(({ kind }) => kind))].toSorted();

/** @param open each one empty */
export function chainConformance(name: string, open: () => Promise<AttackedStore>): void {
  const signer = chainSigner();
  const verify = (store: Store, period = {}): Promise<ChainReport> =>
    verifyChain(store.audit.chain, signer.publicKeys, period);

  describe(`chain conformance: ${name}`, () => {
    test('what is stored verifies, by several processes and behind restarts, and the end is covered by a head', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 100);
      await using other = await attacked.reopen();
      await other.audit.chain.begin(signer);
      await storeChained(other, 100, 30);
      await storeChained(store, 130, 30);
      // What the second one found, its opening says.
      assert.equal((await verify(store)).uncovered, 60);
      await store.audit.chain.signHead();
      await other.audit.chain.end();
      const report = await verify(store);
      assert.deepEqual(report.findings, []);
      assert.deepEqual(
        { ...report, findings: [] },
        {
          events: 160,
          notChained: 0,
          removed: 0,
          chains: 2,
          uncovered: 0,
          findings: [],
          findingsTotal: 0,
        },
      );
    });

    test('what was stored before the chain is said to be in none, and what comes without one later is found', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await storeChained(store, 0, 10);
      assert.equal((await verify(store)).notChained, 10);
      await store.audit.chain.begin(signer);
      await storeChained(store, 10, 10);
      const report = await verify(store);
      assert.equal(report.notChained, 10);
      assert.deepEqual(report.findings, []);
      await using earlier = await attacked.reopen();
      await storeChained(earlier, 20, 1);
      assert.deepEqual(kindsOf(await verify(store)), ['inserted']);
    });

    test('an event that is appended again is one link', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      const [a, b, c] = chainEntries(0, 3, 1_000_000) as [AuditEntry, AuditEntry, AuditEntry];
      await store.audit.append([a, b]);
      await store.audit.append([b, b, c, a, c]);
      await store.audit.append([a]);
      const report = await verify(store);
      assert.deepEqual(report.findings, []);
      assert.equal(report.events, 3);
    });

    test('what retention removes leaves a chain that verifies, whatever it takes', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 2500);
      await using other = await attacked.reopen();
      await other.audit.chain.begin(signer);
      await storeChained(other, 2500, 500);
      await store.audit.chain.signHead();
      await other.audit.chain.signHead();
      // The oldest, by whoever is on duty, and then what is scattered: of sessions that hold more than their first 1,000 there are none here.
      assert.equal(await other.audit.prune({ beforeMs: 1_000_100, batch: 500 }), 100);
      await attacked.run(
        `UPDATE audit_holding SET first_through = 0, first_events = 0, later_events = events, later_bytes = bytes WHERE holder = 's1'`,
      );
      for (const keepEvents of [2800, 2650, 2400])
        assert.ok((await store.audit.prune({ keepEvents, batch: 500 })) > 0);
      const report = await verify(store);
      assert.deepEqual(report.findings, []);
      assert.equal(report.removed, 600);
      assert.equal(report.events, 2400);
      await store.audit.chain.end();
      await other.audit.chain.end();
      await using third = await attacked.reopen();
      await third.audit.chain.begin(signer);
      while ((await third.audit.prune({ beforeMs: 2_000_000, batch: 1000 })) > 0);
      const empty = await verify(third);
      assert.deepEqual(empty.findings, []);
      assert.equal(empty.removed, 3000);
    });

    test('who has the database is found: a removed, a changed, an inserted event, one that is found by something else, and a cut end', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 60);
      await store.audit.chain.signHead();
      const copy = 'time_ms, session_id, verdict, kind, event, chain, link, link_before';
      const attacks = [
        [`DELETE FROM audit WHERE id = 'c000031'`, 'removed'],
        [
          `UPDATE audit SET event = replace(event, 'origin.test', 'nothing.test') WHERE id = 'c000010'`,
          'changed',
        ],
        [`UPDATE audit SET verdict = 'allow' WHERE id = 'c000015'`, 'changed'],
        [
          `INSERT INTO audit (id, ${copy}) SELECT 'copied', ${copy} FROM audit WHERE id = 'c000020'`,
          'inserted',
        ],
        [`DELETE FROM audit WHERE id BETWEEN 'c000056' AND 'c000099'`, 'cut_tail'],
      ] as const;
      const seen = new Set<string>();
      for (const [sql, kind] of attacks) {
        await attacked.run(sql);
        seen.add(kind);
        assert.deepEqual(kindsOf(await verify(store)), [...seen].toSorted(), sql);
      }
    });

    test('each day another chain follows, and one whose key was rotated away is vouched for by those behind it', async ({
      mock,
    }) => {
      const dayMs = 86_400_000;
      mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 });
      await using attacked = await open();
      const { store } = attacked;
      const [old, fresh] = [chainSigner(), chainSigner()];
      await store.audit.chain.begin(old);
      await storeChained(store, 0, 10);
      mock.timers.tick(dayMs + 1);
      await store.audit.chain.signHead();
      // Both are taken while they rotate.
      await store.audit.chain.begin({ ...fresh, publicKeys: [...fresh.publicKeys, ...old.publicKeys] });
      await storeChained(store, 10, 10);
      mock.timers.tick(dayMs + 1);
      await store.audit.chain.signHead();
      mock.timers.tick(10);
      await store.audit.chain.begin(fresh);
      await storeChained(store, 20, 10);
      await store.audit.chain.end();
      const report = await verifyChain(store.audit.chain, fresh.publicKeys, {});
      assert.deepEqual(report.findings, []);
      assert.deepEqual([report.chains, report.events, report.uncovered], [3, 30, 0]);
      const since = await verifyChain(store.audit.chain, fresh.publicKeys, {
        fromMs: Date.now(),
      });
      assert.deepEqual([since.chains, since.events, since.findingsTotal], [1, 10, 0]);
      // Without the one between nobody says that the first was one of ours.
      await attacked.run('DELETE FROM audit_chain WHERE number = 2');
      assert.ok(kindsOf(await verifyChain(store.audit.chain, fresh.publicKeys, {})).includes('forged'));
    });

    const hourMs = 3_600_000;
    for (const [name, openedBackMs] of [
      ['behind a sleep of two days', 0],
      ['behind a start by a clock far behind, once that is right', 5 * 24 * hourMs],
    ] as const)
      test(`what is stored ${name} begins another chain before a head is due`, async ({ mock }) => {
        const openedMs = Date.now() - openedBackMs;
        mock.timers.enable({ apis: ['Date'], now: openedMs });
        await using attacked = await open();
        const { store } = attacked;
        // Nothing of it is as late as what is asked for.
        await store.audit.chain.begin(signer);
        await storeChained(store, 0, 10);
        await store.audit.chain.signHead();
        const nowMs = openedMs + openedBackMs + (openedBackMs === 0 ? 48 * hourMs : 0);
        mock.timers.setTime(nowMs);
        const late = (id: string) =>
          auditEntry(id, { timeMs: nowMs, json: JSON.stringify({ v: 1, id, host: 'example.com' }) });
        await store.audit.append([late('late1')]);
        const since = { fromMs: nowMs - hourMs };
        const found = async () => {
          const { findings, chains, uncovered } = await verifyChain(
            store.audit.chain,
            signer.publicKeys,
            since,
          );
          return [findings, chains, uncovered];
        };
        assert.deepEqual(await found(), [[], 2, 1]);
        await store.audit.append([late('late2')]);
        await store.audit.chain.signHead();
        assert.deepEqual(await found(), [[], 2, 0]);
        const whole = await verify(store);
        assert.deepEqual([whole.findings, whole.chains, whole.events], [[], 2, 12]);
      });

    test('what is put in behind the end of a chain, or cut off it with its head, shows by the next chain', async () => {
      await using attacked = await open();
      {
        await using killed = await attacked.reopen();
        await killed.audit.chain.begin(signer);
        await storeChained(killed, 0, 20);
        await killed.audit.chain.signHead();
        await storeChained(killed, 20, 5);
      }
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 25, 5);
      await attacked.run(
        `DELETE FROM audit_head; DELETE FROM audit WHERE id BETWEEN 'c000015' AND 'c000024'`,
      );
      assert.deepEqual(kindsOf(await verify(store)), ['cut_tail']);
    });

    test('what was changed before retention took it is found behind it', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 60);
      await store.audit.chain.signHead();
      // So that the gateway itself removes it, and signs that.
      await attacked.run(`UPDATE audit SET time_ms = 0 WHERE id = 'c000030'`);
      assert.equal(await store.audit.prune({ beforeMs: 1000, batch: 500 }), 1);
      assert.deepEqual(kindsOf(await verify(store)), ['changed']);
    });

    test('what was changed is found also when retention has taken all around it', async () => {
      await using attacked = await open();
      const { store } = attacked;
      await store.audit.chain.begin(signer);
      await storeChained(store, 0, 60);
      await store.audit.chain.signHead();
      await attacked.run(`UPDATE audit SET verdict = 'deny' WHERE id = 'c000031'`);
      assert.equal(await store.audit.prune({ beforeMs: 1_000_020, batch: 500 }), 20);
      assert.equal(await store.audit.prune({ beforeMs: 1_000_040, batch: 500 }), 20);
      const report = await verify(store);
      assert.deepEqual(
        report.findings.map(({ kind, link }) => [kind, link]),
        [['changed', 32]],
      );
    });
  });
}
