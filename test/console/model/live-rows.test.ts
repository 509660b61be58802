// Rows of the live list: filtered, folded, counted, and never moved.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { parseFilter } from '../../../src/console/model/filter-language.ts';
import { barsFor, gateBars } from '../../../src/console/model/gate-line.ts';
import { HeldEvents, heldMax } from '../../../src/console/model/held-events.ts';
import { binMs, type LiveRow, LiveRows } from '../../../src/console/model/live-rows.ts';
import { RowsTaking, takePaused } from '../../../src/console/model/paused-rows.ts';
import { sameness } from '../../../src/console/model/event-facts.ts';
import { event } from '../support/event.ts';

const startMs = Date.parse('2026-01-05T09:00:00.000Z');

function at(id: string, seconds: number, changes: Partial<AuditEvent> = {}): AuditEvent {
  return event(id, { time: new Date(startMs + seconds * 1000).toISOString(), ...changes });
}

function rowsOf(text = '', isFolding = true): LiveRows {
  return new LiveRows({ filter: parseFilter(text), isFolding, nowMs: startMs });
}

const said = (rows: readonly LiveRow[]): string[] =>
  rows.map((row) => (row.kind === 'note' ? row.text : `${row.event.id}×${row.times}`));

test('the same request within ten seconds is one row with a count; later, or with another outcome, it is another', () => {
  const live = rowsOf();
  const events = [
    at('a', 0),
    at('b', 9),
    at('c', 18),
    at('d', 29),
    at('e', 29, { status: 500 }),
    at('f', 29, { sessionId: 'blue' }),
  ];
  live.extend(events, []);
  assert.deepEqual(said(live.rows), ['a×3', 'd×1', 'e×1', 'f×1']);
  const flat = rowsOf('', false);
  flat.extend(events, []);
  assert.equal(flat.rows.length, 6);
});

test('rows that are there stay where they are, however events come', () => {
  const live = rowsOf();
  const events: AuditEvent[] = [];
  let before: readonly string[] = [];
  for (let index = 0; index < 300; index += 1) {
    events.push(at(`e${index}`, index / 7, { path: `/${(index * 7) % 11}` }));
    if (index % 13 !== 0) continue;
    live.extend(events, []);
    const now = live.rows.map((row) => (row.kind === 'event' ? row.event.id : row.id));
    assert.deepEqual(now.slice(0, before.length), before);
    before = now;
  }
  const times = live.rows.reduce((sum, row) => sum + (row.kind === 'event' ? row.times : 0), 0);
  assert.equal(times, live.facets.all);
});

test('each facet says what it would show, whichever is chosen', () => {
  const events = [
    at('a', 0),
    at('b', 1, { verdict: 'deny', host: 'x.test', count: 40 }),
    at('c', 2, { verdict: 'error' }),
    at('d', 3, { observed: 'later', injected: ['key'] }),
  ];
  for (const text of ['', 'verdict:deny', 'credential:*']) {
    const live = rowsOf(text);
    live.extend(events, []);
    assert.deepEqual(live.facets, { all: 43, deny: 40, error: 1, observe: 1, credential: 1 }, text);
  }
  const one = rowsOf('host:x.test');
  one.extend(events, []);
  assert.equal(one.facets.all, 40);
});

test('a policy that is new is told once, and a late event of the one before is no news', () => {
  const live = rowsOf();
  const versions = ['one', 'one', 'two', 'one', 'two'];
  live.extend(
    versions.map((policyVersion, index) => at(`e${index}`, index * 20, { policyVersion, path: `/${index}` })),
    [],
  );
  assert.deepEqual(said(live.rows), ['e0×1', 'e1×1', 'Policy two decides from here', 'e2×1', 'e3×1', 'e4×1']);
});

test('a note stands behind the event that was the newest', () => {
  const held = new HeldEvents();
  held.append([at('a', 0)]);
  held.note('Not connected');
  held.append([at('b', 30)]);
  const live = rowsOf();
  live.extend(held.events, held.notes);
  assert.deepEqual(said(live.rows), ['a×1', 'Not connected', 'b×1']);
});

test('what is held is bounded, but nothing goes away under a reader', () => {
  const held = new HeldEvents();
  held.prepend([at('first', 0)], undefined);
  assert.equal(held.sinceMs, undefined);
  const one = at('x', 1);
  const many = Array.from({ length: heldMax + 30_000 }, () => one);
  held.isTrimming = false;
  held.append(many);
  assert.equal(held.events.length, heldMax + 30_001);
  held.isTrimming = true;
  const { epoch } = held;
  held.append([]);
  assert.equal(held.events.length, heldMax);
  assert.ok(held.epoch > epoch && held.hasOlder && held.sinceMs !== undefined);
});

test('the gate line has a bar for each time, and those of which nothing is known', () => {
  const live = rowsOf();
  live.extend([at('a', 0), at('b', 25, { verdict: 'deny' })], []);
  const bars = gateBars(live.bins, {
    endMs: startMs + 29_000,
    bars: 5,
    barMs: binMs,
    heldSinceMs: startMs - 5000,
  });
  assert.deepEqual(
    bars.map(({ passed, stopped }) => passed - stopped),
    [0, 0, 1, 0, -1],
  );
  assert.deepEqual(
    bars.map(({ isKnown }) => isKnown),
    [false, true, true, true, true],
  );
  assert.deepEqual(barsFor(15 * 60_000, 90), { bars: 90, barMs: 10_000 });
  assert.ok(barsFor(86_400_000, 90).bars <= 90);
});

test('while somebody reads, only what came since is new, whatever is loaded from before or filtered', () => {
  const held = new HeldEvents();
  const [allow, deny] = [{ verdict: 'allow' }, { verdict: 'deny' }] as const;
  held.prepend([at('d', 40, deny), at('c', 30, allow)], 'c');
  const paused = held.newestId;
  const look = (text: string): readonly [shown: string[], waiting: number] => {
    const live = rowsOf(text);
    const { rows, fitting } = takePaused(live, held, paused);
    return [said(live.rows.slice(0, rows)), live.fitting - fitting];
  };
  assert.deepEqual(look(''), [['c×1', 'd×1'], 0]);
  // Older ones that are loaded are not new.
  held.prepend([at('b', 20, deny), at('a', 10, allow)], undefined);
  assert.deepEqual(look(''), [['a×1', 'b×1', 'c×1', 'd×1'], 0]);
  held.note('a note behind the last');
  held.append([at('e', 60, allow), at('f', 80, deny)]);
  assert.deepEqual(look(''), [['a×1', 'b×1', 'c×1', 'd×1'], 2]);
  const live = rowsOf('');
  takePaused(live, held, paused);
  assert.deepEqual(said(live.rows).slice(4), ['a note behind the last', 'e×1', 'f×1']);
  // Another filter shows what was there of it, also where the last row is none of it; what is new is counted by it.
  assert.deepEqual(look('verdict:allow'), [['a×1', 'c×1'], 1]);
  assert.deepEqual(look('verdict:deny'), [['b×1', 'd×1'], 1]);
  assert.deepEqual(look('host:none.example'), [[], 0]);
});

test('rows that are taken a piece at a time are those that are taken at once, and so is the part of a reader', () => {
  const held = new HeldEvents();
  for (let index = 0; index < 3_000; index += 1) {
    held.append([at(`e${index}`, index / 50, { path: `/${(index * 7) % 31}` })]);
    if (index % 700 === 699) held.note(`after ${index}`);
  }
  for (const lastId of ['e1234', 'e2999', 'gone', undefined]) {
    const whole = rowsOf();
    const part = takePaused(whole, held, lastId);
    const live = rowsOf();
    const taking = new RowsTaking(live, held, lastId);
    let pieces = 0;
    for (; !taking.isWhole; pieces += 1) {
      let looks = 0;
      taking.step(held, () => (looks += 1) <= 2);
    }
    assert.ok(pieces > 4, String(pieces));
    assert.deepEqual(taking.part, part, String(lastId));
    assert.deepEqual(said(live.rows), said(whole.rows));
    assert.deepEqual([live.facets, live.fitting], [whole.facets, whole.fitting]);
  }
});

test('what tells requests apart is no text that one of them chose', () => {
  const one = event('a', { method: 'GET', path: '/x', rule: 'r' });
  for (const other of [
    { method: 'GET/', path: 'x', rule: 'r' },
    { method: 'GET', path: 'r/x', rule: '' },
    { method: 'GET', path: '/x', rule: 'r', errorCode: 'timeout' as const },
  ])
    assert.notEqual(sameness(one), sameness(event('b', other)));
  assert.equal(sameness(one), sameness(event('b', { method: 'GET', path: '/x', rule: 'r' })));
});
