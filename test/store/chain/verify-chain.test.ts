// Tampering at random with what a store says of its audit: each time something is found.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import type { ChainedRow, ChainReader } from '../../../src/store/chain/audit-chain.ts';
import type { Signed } from '../../../src/store/chain/chain-statements.ts';
import { chainLifeMaxMs } from '../../../src/store/chain/chain-walk.ts';
import { LinkHasher } from '../../../src/store/chain/link-hash.ts';
import { type ChainReport, verifyChain } from '../../../src/store/chain/verify-chain.ts';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import {
  type ChainSnapshot,
  chainSigner,
  kindsOf,
  readerOf,
  snapshotOf,
  storeChained,
} from '../../conformance/chain.ts';

const signer = chainSigner();
const unchained = 5;
let sound: ChainSnapshot;

const verify = (snapshot: ChainSnapshot, period = {}): Promise<ChainReport> =>
  verifyChain(readerOf(snapshot), signer.publicKeys, period);

/** Three processes that took turns, events from before the chain, and what retention removed in the middle and at the beginning. */
before(async () => {
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/state.db`;
  {
    await using earlier = await openSqliteStore(file);
    // Of later times, so that retention leaves them.
    await storeChained(earlier, 200, unchained);
  }
  await using first = await openSqliteStore(file);
  await first.audit.chain.begin(signer);
  await storeChained(first, 5, 45);
  await first.audit.chain.signHead();
  await using second = await openSqliteStore(file);
  await second.audit.chain.begin(signer);
  await storeChained(second, 50, 20);
  await storeChained(first, 70, 30);
  await first.audit.chain.end();
  await second.audit.prune({ beforeMs: 1_000_012, batch: 7 });
  await storeChained(second, 100, 10);
  await second.audit.chain.end();
  sound = await snapshotOf(second.audit.chain);
});

const copyOf = ({ openings, heads, cuts, rows, marks }: ChainSnapshot): ChainSnapshot => ({
  openings: [...openings],
  heads: new Map(heads),
  cuts: [...cuts],
  rows: [...rows],
  marks: [...marks],
});

/** Another one, by whatever is drawn. */
type Tampering = (snapshot: ChainSnapshot, draw: (below: number) => number) => void;

const chained = ({ rows }: ChainSnapshot): readonly number[] =>
  rows.flatMap(({ place }, at) => (place === undefined ? [] : [at]));

const anyRow = (snapshot: ChainSnapshot, draw: (below: number) => number): number => {
  const places = chained(snapshot);
  return places[draw(places.length)]!;
};

const flipped = (text: string, at: number): string =>
  `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`;

const withoutPlace = ({ sequence, facts, found }: ChainedRow): ChainedRow => ({ sequence, facts, found });

const changes: readonly ((row: ChainedRow, draw: (below: number) => number) => ChainedRow)[] = [
  (row) => ({ ...row, facts: { ...row.facts, json: row.facts.json.replace('"exchange"', '"stream"') } }),
  (row) => ({ ...row, facts: { ...row.facts, json: `${row.facts.json} ` } }),
  (row) => ({ ...row, facts: { ...row.facts, json: 'no event' } }),
  (row) => ({ ...row, facts: { ...row.facts, verdict: row.facts.verdict === 'deny' ? 'allow' : 'deny' } }),
  (row) => ({ ...row, facts: { ...row.facts, kind: 'alarm' } }),
  (row) => ({ ...row, facts: { ...row.facts, timeMs: row.facts.timeMs + 1 } }),
  (row) => ({ ...row, facts: { ...row.facts, id: `${row.facts.id}x` } }),
  (row) => ({ ...row, facts: { ...row.facts, sessionId: 'another' } }),
  (row) => ({ ...row, found: { ...row.found, host: 'nothing.test' } }),
  (row) => ({ ...row, found: { ...row.found, trace: undefined } }),
  (row, draw) => ({ ...row, place: { ...row.place!, link: row.place!.link + 1 + draw(300) } }),
  (row, draw) => ({ ...row, place: { ...row.place!, before: flipped(row.place!.before, draw(43)) } }),
  (row) => ({ ...row, place: { ...row.place!, before: '' } }),
  (row) => ({ ...row, place: { ...row.place!, number: 3 - row.place!.number } }),
  (row) => ({ ...row, place: { ...row.place!, number: 9 } }),
  (row) => withoutPlace(row),
];

/** The signature is left, as who has no key must. */
const otherStatement = <One extends Signed>(signed: One, draw: (below: number) => number): One => {
  const at = 1 + draw(signed.statement.length - 2);
  const digit = signed.statement[at] === '7' ? '8' : '7';
  return {
    ...signed,
    statement: `${signed.statement.slice(0, at)}${digit}${signed.statement.slice(at + 1)}`,
  };
};

const tamperings: Readonly<Record<string, Tampering>> = {
  removes: (snapshot, draw) => {
    for (let count = 1 + draw(3); count > 0; count -= 1) snapshot.rows.splice(anyRow(snapshot, draw), 1);
  },
  changes: (snapshot, draw) => {
    const at = anyRow(snapshot, draw);
    snapshot.rows[at] = changes[draw(changes.length)]!(snapshot.rows[at]!, draw);
  },
  swaps: (snapshot, draw) => {
    const places = chained(snapshot);
    const a = places[draw(places.length)]!;
    // In which order two neighbours of two chains came is said by none.
    const others = places.filter(
      (at) =>
        Math.abs(at - a) > 1 ||
        (at !== a && snapshot.rows[at]!.place!.number === snapshot.rows[a]!.place!.number),
    );
    const b = others[draw(others.length)]!;
    const [first, second] = [snapshot.rows[a]!, snapshot.rows[b]!];
    snapshot.rows[a] = { ...second, sequence: first.sequence };
    snapshot.rows[b] = { ...first, sequence: second.sequence };
  },
  inserts: (snapshot, draw) => {
    const row = snapshot.rows[anyRow(snapshot, draw)]!;
    const without = withoutPlace(row);
    const facts = { ...row.facts, id: 'inserted' };
    const last = snapshot.rows.findLast(({ place }) => place?.number === row.place!.number)!;
    const before = new LinkHasher().ofFacts(last.place!.before, last.place!.link, last.facts);
    const goesOn = {
      number: last.place!.number,
      link: last.place!.link + 1,
      before,
    };
    const placed = [
      { ...without, facts },
      { ...row, facts },
      { ...row, facts, place: goesOn },
    ][draw(3)]!;
    const sequence = snapshot.rows.at(-1)!.sequence + 1;
    snapshot.rows.push({ ...placed, sequence });
  },
  truncates: (snapshot, draw) => {
    const places = chained(snapshot);
    snapshot.rows.splice(places[draw(places.length)]!);
  },
  'forges a head': (snapshot, draw) => {
    const number = 1 + draw(2);
    const heads = [...snapshot.heads.get(number)!];
    const at = draw(heads.length);
    heads[at] = otherStatement(heads[at]!, draw);
    snapshot.heads.set(number, heads);
  },
  'forges an opening': (snapshot, draw) => {
    const at = draw(snapshot.openings.length);
    const { number } = snapshot.openings[at]!;
    snapshot.openings[at] = { ...otherStatement(snapshot.openings[at]!, draw), number };
  },
  'removes an opening': (snapshot, draw) => {
    snapshot.openings.splice(draw(snapshot.openings.length), 1);
  },
  'forges a cut': (snapshot, draw) => {
    const at = draw(snapshot.cuts.length);
    snapshot.cuts[at] = { ...snapshot.cuts[at]!, ...otherStatement(snapshot.cuts[at]!, draw) };
  },
  'lowers a mark that searches go by': (snapshot, draw) => {
    const at = draw(snapshot.marks.length);
    const { sequence } = snapshot.marks[at]!;
    const highest = Math.max(
      ...snapshot.rows.flatMap((row) => (row.sequence <= sequence ? row.facts.timeMs : [])),
    );
    snapshot.marks[at] = { sequence, highMs: highest - 1 - draw(1000) };
  },
  'puts a mark behind all that searches go by': (snapshot, draw) => {
    const { sequence, facts } = snapshot.rows.at(-1)!;
    snapshot.marks.push({ sequence: sequence + draw(1000), highMs: facts.timeMs - 1 - draw(1000) });
  },
  'removes a cut': (snapshot, draw) => {
    snapshot.cuts.splice(draw(snapshot.cuts.length), 1);
  },
};

test('what gateways stored and removed verifies, in any period too', async () => {
  const report = await verify(sound);
  assert.deepEqual(report.findings, []);
  assert.equal(report.notChained, unchained);
  assert.equal(report.uncovered, 0);
  assert.ok(report.removed > 0);
  const times = [...sound.heads.values()]
    .flat()
    .map(({ statement }) => Number(/"timeMs":(\d+)/.exec(statement)?.[1]));
  const near = times.flatMap((time) => [time - 1, time, time + 1, time + 100_000_000]);
  for (const fromMs of near)
    for (const untilMs of near) {
      for (const period of [{ fromMs }, { untilMs }, { fromMs, untilMs }])
        assert.deepEqual((await verify(sound, period)).findings, [], JSON.stringify(period));
    }
});

for (const [name, tampering] of Object.entries(tamperings)) {
  test(`who ${name} is found, wherever it is`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat({ max: 2 ** 30 })), async (numbers) => {
        const snapshot = copyOf(sound);
        tampering(snapshot, (below) => numbers.next().value % below);
        const report = await verify(snapshot);
        assert.notEqual(report.findingsTotal, 0);
      }),
      { numRuns: 150 },
    );
  });
}

test('since a time, of chains that were over long before the last head alone is read, and what is put into them now is found', async () => {
  const fromMs = Date.now() + 2 * chainLifeMaxMs;
  const snapshot = copyOf(sound);
  const asked: number[] = [];
  const reader: ChainReader = {
    ...readerOf(snapshot),
    heads: () => Promise.reject(new Error('there may be any number of them')),
    latestHead: async (number) => {
      asked.push(number);
      return snapshot.heads.get(number)!.at(-1);
    },
  };
  assert.deepEqual((await verifyChain(reader, signer.publicKeys, { fromMs })).findings, []);
  // Once each.
  assert.deepEqual(asked.toSorted(), [1, 2]);
  const { sequence } = snapshot.rows.at(-1)!;
  const row = snapshot.rows.find(({ place }) => place?.number === 1)!;
  for (const at of [1, 2]) snapshot.rows.push({ ...row, sequence: sequence + at });
  const report = await verifyChain(reader, signer.publicKeys, { fromMs });
  assert.deepEqual([kindsOf(report), report.findingsTotal], [['inserted'], 2]);
  snapshot.heads.set(2, [otherStatement(snapshot.heads.get(2)!.at(-1)!, () => 9)]);
  assert.ok(kindsOf(await verifyChain(reader, signer.publicKeys, { fromMs })).includes('forged'));
});

/** An event of another time, as the link that somebody says. */
function putIn(snapshot: ChainSnapshot, timeMs: number, place: NonNullable<ChainedRow['place']>): void {
  const row = snapshot.rows.at(-1)!;
  const id = `put-in-${row.sequence}`;
  snapshot.rows.push({
    ...row,
    sequence: row.sequence + 1,
    place,
    facts: { ...row.facts, id, timeMs },
  });
}

/** What the link behind the last row goes on from: whoever reads the events can reckon it. */
function nextPlace({ rows }: ChainSnapshot): NonNullable<ChainedRow['place']> {
  const { place, facts } = rows.at(-1)!;
  const { number, link, before: from } = place!;
  return { number, link: link + 1, before: new LinkHasher().ofFacts(from, link, facts) };
}

/** A chain whose process was killed behind link 25; its last head is at 20. */
async function killedChain(): Promise<ChainSnapshot> {
  await using store = await openSqliteStore(':memory:');
  await store.audit.chain.begin(signer);
  await storeChained(store, 0, 20);
  await store.audit.chain.signHead();
  await storeChained(store, 20, 5);
  return await snapshotOf(store.audit.chain);
}

test('since a time, what is put in under a chain that was killed long before is found, or counted', async () => {
  const killed = await killedChain();
  const fromMs = Date.now() + 2 * chainLifeMaxMs;
  const untouched = await verify(killed, { fromMs });
  assert.deepEqual([untouched.findings, untouched.events, untouched.uncovered], [[], 5, 5]);
  const ofNow = copyOf(killed);
  putIn(ofNow, fromMs + 1000, nextPlace(ofNow));
  putIn(ofNow, Number.NaN, { number: 1, link: 27, before: 'A'.repeat(43) });
  const found = await verify(ofNow, { fromMs });
  assert.deepEqual([kindsOf(found), found.findingsTotal, found.events], [['inserted'], 2, 7]);
  const garbage = copyOf(killed);
  putIn(garbage, 1000, { number: 1, link: 26, before: 'A'.repeat(43) });
  assert.deepEqual(kindsOf(await verify(garbage, { fromMs })), ['changed']);
  const old = copyOf(killed);
  putIn(old, 1000, nextPlace(old));
  assert.equal((await verify(old, { fromMs })).uncovered, 6);
});

test('since a time, what is put in under an old chain whose heads were removed is found', async () => {
  const killed = await killedChain();
  const fromMs = Date.now() + 2 * chainLifeMaxMs;
  killed.heads.set(1, []);
  assert.deepEqual((await verify(killed, { fromMs })).findings, []);
  putIn(killed, fromMs + 1000, { ...nextPlace(killed), link: 5 });
  const report = await verify(killed, { fromMs });
  assert.deepEqual([kindsOf(report), report.findingsTotal], [['inserted'], 1]);
});

test('since a time, an event of an earlier time is found under a chain that another one followed', async (t) => {
  const openedMs = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: openedMs });
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/state.db`;
  await using first = await openSqliteStore(file);
  await first.audit.chain.begin(signer);
  await storeChained(first, 0, 10);
  await first.audit.chain.signHead();
  await storeChained(first, 10, 5);
  const fromMs = openedMs + 2 * chainLifeMaxMs;
  t.mock.timers.setTime(fromMs + 1000);
  await using second = await openSqliteStore(file);
  await second.audit.chain.begin(signer);
  await storeChained(second, 15, 5);
  await second.audit.chain.signHead();
  const followed = await snapshotOf(second.audit.chain);
  assert.deepEqual((await verify(followed, { fromMs })).findings, []);
  const until15 = { ...followed, rows: followed.rows.slice(0, 15) };
  putIn(followed, 1000, nextPlace(until15));
  const report = await verify(followed, { fromMs });
  assert.deepEqual([kindsOf(report), report.findingsTotal], [['inserted'], 1]);
});

test('since a time, the end of a killed chain that is half before the part is gone along from its last head', async (t) => {
  const openedMs = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: openedMs });
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/state.db`;
  await using first = await openSqliteStore(file);
  await first.audit.chain.begin(signer);
  await storeChained(first, 0, 10);
  await first.audit.chain.signHead();
  await storeChained(first, 10, 5);
  t.mock.timers.setTime(openedMs + 10_000_000);
  await using second = await openSqliteStore(file);
  await second.audit.chain.begin(signer);
  await storeChained(second, 15, 1);
  await storeChained(first, 16, 5);
  const fromMs = openedMs + chainLifeMaxMs + 1;
  const overlapping = await snapshotOf(first.audit.chain);
  const report = await verify(overlapping, { fromMs });
  assert.deepEqual([report.findings, report.events, report.uncovered], [[], 11, 6]);
  const missing = { ...overlapping, rows: overlapping.rows.filter(({ place }) => place?.link !== 17) };
  assert.deepEqual(kindsOf(await verify(missing, { fromMs })), ['removed']);
});

test('a chain by a clock far behind is over before what is asked for, whatever chains came before it', async (t) => {
  const nowMs = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: nowMs });
  await using directory = await temporaryDirectory();
  const file = `${directory.path}/state.db`;
  await using first = await openSqliteStore(file);
  await first.audit.chain.begin(signer);
  await storeChained(first, 0, 10);
  await first.audit.chain.end();
  t.mock.timers.setTime(nowMs - 5 * chainLifeMaxMs);
  await using behind = await openSqliteStore(file);
  await behind.audit.chain.begin(signer);
  await storeChained(behind, 10, 5);
  t.mock.timers.setTime(nowMs + 10_000);
  const snapshot = await snapshotOf(behind.audit.chain);
  const report = await verify(snapshot, { fromMs: nowMs - 3_600_000 });
  assert.deepEqual([report.findings, report.events, report.uncovered], [[], 15, 5]);
});

/** One chain, and when each ten events of it were signed, from the opening on. */
async function steppingChain(
  timers: { setTime(ms: number): void },
  openedMs: number,
  stepsMs: readonly number[],
): Promise<ChainSnapshot> {
  await using store = await openSqliteStore(':memory:');
  timers.setTime(openedMs);
  await store.audit.chain.begin(signer);
  for (const [at, step] of stepsMs.entries()) {
    // The first one opens it.
    await storeChained(store, 10 * at, 10);
    timers.setTime(openedMs + step);
    await (at === stepsMs.length - 1 ? store.audit.chain.end() : store.audit.chain.signHead());
  }
  return await snapshotOf(store.audit.chain);
}

test('a clock that stepped hides no removed event of the time that is asked for', async (t) => {
  const openedMs = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: openedMs });
  const day = 2 * chainLifeMaxMs;
  const cases = [
    { steps: [0, 100_000, 50_000, 200_000], link: 15, events: 30, period: { fromMs: openedMs + 80_000 } },
    // The last head, and all the others, are before.
    { steps: [0, 100_000, 50_000], link: 15, events: 20, period: { fromMs: openedMs + 80_000 } },
    { steps: [-50_000, -20_000], link: 5, events: 20, period: { fromMs: openedMs - 10_000 } },
    { steps: [0, 100_000, 50_000, 200_000], link: 25, events: 40, period: { untilMs: openedMs + 80_000 } },
    { steps: [-50_000, -20_000], link: 5, events: 20, period: { untilMs: openedMs - 10_000 } },
    // Older than it can get, by its opening alone.
    { steps: [0, day], link: 15, events: 10, period: { fromMs: openedMs + day - 1000 } },
  ];
  for (const { steps, link, events, period } of cases) {
    const snapshot = await steppingChain(t.mock.timers, openedMs, steps);
    const whole = await verify(snapshot, period);
    assert.deepEqual([whole.findings, whole.events], [[], events], JSON.stringify(steps));
    snapshot.rows = snapshot.rows.filter(({ place }) => place?.link !== link);
    assert.deepEqual(kindsOf(await verify(snapshot, period)), ['removed'], JSON.stringify({ steps, period }));
  }
});

test('of many gaps in one stretch its cut is read once', async () => {
  await using store = await openSqliteStore(':memory:');
  await store.audit.chain.begin(signer);
  const many = 400;
  for (let n = 0; n < many; n += 1)
    await store.audit.append([auditEntry(`g${n}`, { timeMs: n % 2 === 0 ? 1 : 1_000_000 })]);
  await store.audit.chain.signHead();
  assert.equal(await store.audit.prune({ beforeMs: 10, batch: 1000 }), many / 2);
  const { chain } = store.audit;
  let cuts = 0;
  const reader: ChainReader = {
    ...readerOf(await snapshotOf(chain)),
    cut: (number, link) => {
      cuts += 1;
      return chain.cut(number, link);
    },
  };
  const report = await verifyChain(reader, signer.publicKeys, {});
  assert.deepEqual([report.findings, report.removed, cuts], [[], many / 2, 1]);
});

test('who has no key of the identity, and makes the whole anew, has signed it by nobody', async () => {
  const report = await verifyChain(readerOf(sound), chainSigner().publicKeys, {});
  assert.ok(kindsOf(report).includes('forged'));
});
