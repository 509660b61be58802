// What every engine of the store must find in the audit, and in which order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../src/api/audit-event.ts';
import type { AuditPeriod, AuditPlace, AuditSearch } from '../../src/store/audit-search.ts';
import type { AuditEntry, Store } from '../../src/store/store.ts';

/** An event as it is stored, with facts and fields that agree. */
export function foundEntry(
  id: string,
  fields: Partial<AuditEvent> & { readonly timeMs?: number } = {},
): AuditEntry {
  const { timeMs = 1000, ...others } = fields;
  const event: AuditEvent = {
    v: 1,
    id,
    time: new Date(timeMs).toISOString(),
    kind: 'exchange',
    traceId: `${id.padEnd(4, '0')}0123`,
    verdict: 'allow',
    host: 'example.com',
    ...others,
  };
  const { kind, verdict, sessionId } = event;
  const json = JSON.stringify(event);
  return { id, kind, verdict, timeMs, json, ...(sessionId === undefined ? {} : { sessionId }) };
}

/** Ids that all pages give, and how many pages there were. */
async function idsOf(
  store: Store,
  search: Omit<AuditSearch, 'limit' | 'lookMax'> & Partial<AuditSearch>,
): Promise<{ readonly ids: readonly string[]; readonly pages: number }> {
  const ids: string[] = [];
  let beforeId = search.beforeId;
  for (let pages = 1; ; pages += 1) {
    assert.ok(pages < 100, 'it never ends');
    const page = await store.audit.search({
      limit: 3,
      lookMax: 4,
      ...search,
      ...(beforeId === undefined ? {} : { beforeId }),
    });
    ids.push(...page.events.map(({ id }) => id));
    if (page.next === undefined) return { ids, pages };
    beforeId = page.next;
  }
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);
const idOf = (n: number): string => `e${String(n).padStart(3, '0')}`;

/** Two that differ in their last digit, two that are short, and others. */
const longTrace = '4bf92f3577b34da6a3ce929d0e0e473';
const traceOf = (n: number): string =>
  ({ 7: 'abcdef', 8: 'abcdff', 9: `${longTrace}6`, 10: `${longTrace}7` })[n] ?? `0000${n}`;

/** 24 events: of two sessions and principals, four hosts, every sixth refused, every twelfth no exchange. */
const mixed: readonly AuditEntry[] = numbers(24).map((n) =>
  foundEntry(idOf(n), {
    timeMs: n * 100_000,
    traceId: traceOf(n),
    host: ['one.test', 'a.two.test', 'b.two.test', 'two.test'][n % 4],
    sessionId: n % 2 === 0 ? 'even' : 'odd',
    principal: n % 3 === 0 ? 'third' : 'other',
    verdict: n % 6 === 0 ? 'deny' : 'allow',
    kind: n % 12 === 0 ? 'session' : 'exchange',
  } as Partial<AuditEvent>),
);

const fits = (test_: (event: AuditEvent, n: number) => boolean): readonly string[] =>
  mixed
    .filter(({ json }, at) => test_(JSON.parse(json) as AuditEvent, at + 1))
    .map(({ id }) => id)
    .toReversed();

export function auditSearchConformance(open: () => Promise<Store>): void {
  for (const [name, search, expected] of [
    ['everything', {}, fits(() => true)],
    ['a session', { sessionId: 'odd' }, fits(({ sessionId }) => sessionId === 'odd')],
    ['a principal', { principal: 'third' }, fits(({ principal }) => principal === 'third')],
    ['a host', { host: 'one.test' }, fits(({ host }) => host === 'one.test')],
    ['hosts below a name', { host: '.two.test' }, fits(({ host }) => host?.endsWith('.two.test') === true)],
    ['a verdict', { verdict: 'deny' }, fits(({ verdict }) => verdict === 'deny')],
    ['a common verdict', { verdict: 'allow' }, fits(({ verdict }) => verdict === 'allow')],
    ['a verdict that nothing has', { verdict: 'unknown' }, []],
    ['a kind', { kind: 'session' }, fits(({ kind }) => kind === 'session')],
    ['a trace', { trace: 'abcdef' }, [idOf(7)]],
    ['the beginning of traces', { trace: 'abcd' }, [idOf(8), idOf(7)]],
    ...[4, 5, 11, 12, 13, 30, 31].map(
      (digits) =>
        [
          `traces with ${digits} digits of their beginning`,
          { trace: longTrace.slice(0, digits) },
          [idOf(10), idOf(9)],
        ] as const,
    ),
    ['a whole trace', { trace: `${longTrace}6` }, [idOf(9)]],
    ['a trace of another host', { trace: 'abcdef', host: 'one.test' }, []],
    ['a time on', { fromMs: 2_000_000 }, fits((_, n) => n >= 20)],
    ['a time that is to come', { fromMs: 9_000_000 }, []],
    [
      'refusals of a host',
      { host: 'two.test', verdict: 'deny' },
      fits(({ host, verdict }) => host === 'two.test' && verdict === 'deny'),
    ],
    [
      'refusals below a name since a time',
      { host: '.two.test', verdict: 'deny', fromMs: 900_000 },
      fits(({ host, verdict }, n) => host?.endsWith('.two.test') === true && verdict === 'deny' && n >= 9),
    ],
    [
      'all at once',
      {
        sessionId: 'even',
        principal: 'third',
        host: '.two.test',
        kind: 'exchange',
        verdict: 'deny',
        fromMs: 700_000,
      },
      fits(
        (event, n) =>
          event.sessionId === 'even' &&
          event.principal === 'third' &&
          event.host?.endsWith('.two.test') === true &&
          event.kind === 'exchange' &&
          event.verdict === 'deny' &&
          n >= 7,
      ),
    ],
  ] as const)
    test(`a search for ${name} gives all of it once, the newest first, whatever the pages are`, async () => {
      await using store = await open();
      for (const entry of mixed) await store.audit.append([entry]);
      for (const [limit, lookMax] of [
        [3, 4],
        [1, 1],
        [2, 100],
        [100, 7],
        [100, 100],
      ] as const) {
        const { ids } = await idsOf(store, { ...search, limit, lookMax });
        assert.deepEqual(ids, expected, `${limit} of ${lookMax}`);
      }
    });

  test('one call looks at a bounded number of events, and says where to go on', async () => {
    await using store = await open();
    await store.audit.append(numbers(20).map((n) => foundEntry(idOf(n), { sessionId: 's' })));
    const search = { sessionId: 's', host: 'other.test', limit: 5, lookMax: 8 };
    assert.deepEqual(await store.audit.search(search), { events: [], next: idOf(13) });
    assert.deepEqual(await store.audit.search({ ...search, beforeId: idOf(13) }), {
      events: [],
      next: idOf(5),
    });
    assert.deepEqual(await store.audit.search({ ...search, beforeId: idOf(5) }), { events: [] });
  });

  test('a search goes on before an event that is gone, by its id', async () => {
    await using store = await open();
    await store.audit.append(['b', 'c', 'a', 'd'].map((id) => foundEntry(id)));
    assert.deepEqual((await idsOf(store, { beforeId: 'bb' })).ids, ['a', 'b']);
    assert.deepEqual((await idsOf(store, { beforeId: 'a' })).ids, ['c', 'b']);
  });

  test('what began long ago and ended late is found since its time, and what is since a time is found however late it was stored', async () => {
    await using store = await open();
    for (const [id, timeMs] of [
      ['a', 100_000],
      ['b', 900_000],
      ['late', 50_000],
      ['c', 950_000],
      ['later', 890_000],
      ['d', 990_000],
    ] as const)
      await store.audit.append([foundEntry(id, { timeMs })]);
    assert.deepEqual((await idsOf(store, { fromMs: 890_000 })).ids, ['d', 'later', 'c', 'b']);
    assert.deepEqual((await idsOf(store, { fromMs: 50_000 })).ids, ['d', 'later', 'c', 'late', 'b', 'a']);
  });

  test('a search that since its time has little looks at little, however much there is before', async () => {
    await using store = await open();
    await store.audit.append(numbers(300).map((n) => foundEntry(`old${n}`, { timeMs: 1000 + n })));
    await store.audit.append([foundEntry('new', { timeMs: 500_000 })]);
    const { ids, pages } = await idsOf(store, {
      fromMs: 400_000,
      host: 'example.com',
      limit: 10,
      lookMax: 10,
    });
    assert.deepEqual([ids, pages], [['new'], 1]);
  });

  test('once an event of a time to come is gone, a search since a time looks at little again', async () => {
    await using store = await open();
    await store.audit.append([foundEntry('future', { timeMs: 9_000_000_000 })]);
    await store.audit.append(numbers(200).map((n) => foundEntry(`old${n}`, { timeMs: 1000 + n })));
    assert.equal(await store.audit.prune({ keepEvents: 200, batch: 1 }), 1);
    await store.audit.append([foundEntry('after', { timeMs: 2000 })]);
    await store.audit.append([foundEntry('new', { timeMs: 500_000 })]);
    const { ids, pages } = await idsOf(store, {
      fromMs: 400_000,
      host: 'example.com',
      limit: 10,
      lookMax: 10,
    });
    assert.deepEqual([ids, pages], [['new'], 1]);
  });

  test('a period gives the events of its time in their order, also where many are of one moment', async () => {
    await using store = await open();
    const times = [5, 3, 9, 5, 1, 5, 7, 5] as const;
    await store.audit.append(times.map((timeMs, at) => foundEntry(`${timeMs}-${at}`, { timeMs })));
    const all = async (period: Omit<AuditPeriod, 'limit'>): Promise<readonly string[]> => {
      const ids: string[] = [];
      let behind: AuditPlace | undefined;
      do {
        const page = await store.audit.period({ ...period, behind, limit: 2 });
        ids.push(...page.events.map(({ id }) => id));
        behind = page.next;
      } while (behind !== undefined);
      return ids;
    };
    assert.deepEqual(await all({}), ['1-4', '3-1', '5-0', '5-3', '5-5', '5-7', '7-6', '9-2']);
    assert.deepEqual(await all({ fromMs: 5, untilMs: 9 }), ['5-0', '5-3', '5-5', '5-7', '7-6']);
    assert.deepEqual(await all({ fromMs: 10 }), []);
  });
}
