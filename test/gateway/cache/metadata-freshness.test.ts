// What a registry says of its metadata, as a cache for all reads it: what may be kept at all, for how long, and what is asked then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Freshness } from '../../../src/gateway/cache/metadata-freshness.ts';
import { type HeaderField, HeaderList } from '../../../src/http/header-list.ts';

const beganMs = 1_900_000_000_000;
const form = { url: 'https://registry.test/a', accept: 'application/json', cacheControl: '' };

function kept(fields: readonly HeaderField[], nowMs = beganMs): Freshness | undefined {
  return Freshness.of(form, HeaderList.of(fields), () => nowMs);
}

const notForAll: readonly (readonly HeaderField[])[] = [
  [['cache-control', 'private']],
  [['Cache-Control', 'PRIVATE, max-age=60']],
  [['cache-control', 'max-age=60; private']],
  [['cache-control', 'private="x-user", max-age=60']],
  [
    ['cache-control', 'max-age=60'],
    ['cache-control', 'No-Store'],
  ],
  [
    ['cache-control', 'public, max-age=60'],
    ['set-cookie', 'a=b'],
  ],
  [['vary', '*']],
  [['vary', 'accept, X-User']],
  [['vary', 'user-agent']],
  [['cache-control', 'max-age=60, max-age=600']],
  [
    ['etag', '"1"'],
    ['etag', '"2"'],
  ],
  [['content-range', 'bytes 0-1/2']],
  [['etag', `"${'x'.repeat(2000)}"`]],
];

test('what is for one user, of unknown variants, or said twice is not kept', () => {
  for (const fields of notForAll) assert.equal(kept(fields), undefined, JSON.stringify(fields));
  assert.ok(kept([['cache-control', 'public, max-age=60']]));
  assert.ok(kept([]));
  assert.ok(kept([['vary', 'Accept-Encoding, accept']]));
});

test('it is fresh for as long as the registry says, less what it was old when it came, and an hour at most', () => {
  const freshAt = (fields: readonly HeaderField[], seconds: number, cacheControl = ''): boolean => {
    let nowMs = beganMs;
    const freshness = Freshness.of(form, HeaderList.of(fields), () => nowMs);
    nowMs += seconds * 1000;
    return freshness?.isFresh({ ...form, cacheControl }, nowMs) === true;
  };
  const minute: readonly HeaderField[] = [['Cache-Control', 'Public, Max-Age=60']];
  assert.deepEqual([freshAt(minute, 59), freshAt(minute, 61)], [true, false]);
  const old: readonly HeaderField[] = [...minute, ['age', '50']];
  assert.deepEqual([freshAt(old, 9), freshAt(old, 11)], [true, false]);
  assert.equal(freshAt([['cache-control', 's-maxage=10, max-age=600']], 11), false);
  const year: readonly HeaderField[] = [['cache-control', 'max-age=31536000, immutable']];
  assert.deepEqual([freshAt(year, 3599), freshAt(year, 3601)], [true, false]);
  // Without a time of its own nothing is guessed.
  assert.equal(freshAt([['last-modified', 'Mon, 01 Jan 2001 00:00:00 GMT']], 1), false);
  for (const said of [
    'no-cache',
    'no-cache="x"',
    'must-revalidate, max-age=60',
    'max-age=60, NO-CACHE',
    'max-age=-5',
    'max-age=x',
  ])
    assert.equal(freshAt([['cache-control', said]], 1), false, said);
  // A client may want it newer, and never older than it may be.
  for (const said of ['no-cache', 'No-Cache', 'max-age=5', 'min-fresh=55'])
    assert.equal(freshAt(minute, 10, said), false, said);
  for (const said of ['max-stale', 'max-stale=1000', 'only-if-cached', 'stale-if-error=1000'])
    assert.equal(freshAt([['cache-control', 'no-cache, max-age=60']], 1, said), false, said);
  assert.equal(freshAt([['cache-control', 'max-age=60, stale-while-revalidate=600']], 61), false);
  // A clock that was set back.
  assert.equal(freshAt(minute, -10), false);
});

test('without its registry it serves for a day, unless that was forbidden', () => {
  const mayBe = (said: string, hours: number): boolean =>
    kept([['cache-control', said]])?.mayBeStale(beganMs + hours * 3_600_000) === true;
  assert.deepEqual([mayBe('max-age=60', 23), mayBe('max-age=60', 25)], [true, false]);
  for (const said of ['no-cache', 'Must-Revalidate', 'max-age=1, proxy-revalidate', 's-maxage=5'])
    assert.equal(mayBe(said, 1), false, said);
});

test('the registry is asked with validators of its own, and what it says of another one changes nothing', () => {
  let nowMs = beganMs;
  const clock = (): number => nowMs;
  const freshness = Freshness.of(
    form,
    HeaderList.of([
      ['etag', '"1"'],
      ['last-modified', 'Mon, 01 Jan 2001 00:00:00 GMT'],
      ['cache-control', 'max-age=60'],
      ['age', '30'],
      ['content-type', 'application/json'],
    ]),
    clock,
  );
  assert.ok(freshness);
  assert.deepEqual(freshness.validators, [['if-none-match', '"1"']]);
  nowMs += 100_000;
  assert.equal(freshness.isFresh(form, nowMs), false);
  const again = freshness.revalidated(
    form,
    HeaderList.of([
      ['etag', '"1"'],
      ['content-type', 'text/html'],
    ]),
    clock,
  );
  assert.equal(again?.isFresh(form, nowMs + 59_000), true);
  assert.equal(again.ageSeconds, 0);
  assert.equal(again.stored.resh['content-type'], 'application/json');
  assert.equal(again.toldMs, nowMs);
  const shorter = freshness.revalidated(
    form,
    HeaderList.of([
      ['etag', '"1"'],
      ['cache-control', 'no-cache'],
    ]),
    clock,
  );
  assert.equal(shorter?.isFresh(form, nowMs), false);
  for (const fields of [
    [['etag', '"2"']],
    [],
    [
      ['etag', '"1"'],
      ['cache-control', 'private'],
    ],
    [
      ['etag', '"1"'],
      ['set-cookie', 'a=b'],
    ],
    [
      ['etag', '"1"'],
      ['vary', 'x-user'],
    ],
  ] satisfies readonly (readonly HeaderField[])[])
    assert.equal(
      freshness.revalidated(form, HeaderList.of(fields), clock),
      undefined,
      JSON.stringify(fields),
    );
});
