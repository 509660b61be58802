import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPage } from '../../../src/gateway/cache/bucket-page.ts';
import { bucketStats, makeRoom } from '../../../src/gateway/cache/bucket-room.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { seeded } from '../../support/seeded.ts';
import { bucketClient } from '../support/bucket-scene.ts';
import { openS3Server } from '../support/s3-server.ts';

const nameOf = (i: number): string => i.toString(16).padStart(64, '0');
const { signal } = new AbortController();

test('what was stored first leaves, over all pages, and what is not of the cache stays', async () => {
  await using server = await openS3Server({ pageMax: 7 });
  await using client = bucketClient(server);
  // In an order that is not that of the names.
  for (let i = 0; i < 40; i += 1) {
    const kind = i % 2 === 0 ? 'objects' : 'entries';
    const storedMs = 1_700_000_000_000 + ((i * 17) % 40) * 60_000;
    server.objects.set(`shared/${kind}/${nameOf(i)}`, { octets: Buffer.alloc(1000), storedMs });
  }
  const others = ['shared/objects/readme', 'other/objects/x', 'shared/x<&>"', `sharedx/objects/${nameOf(1)}`];
  for (const key of others) server.objects.set(key, { octets: Buffer.alloc(90_000), storedMs: 0 });
  assert.deepEqual(await bucketStats(client, signal), { archives: 20, bytes: 40_000, isAll: true });
  assert.equal(await makeRoom(client, 40_000, signal), 0);
  assert.equal(await makeRoom(client, 32_000, signal), 10);
  const left = [...server.objects].filter(([key]) => !others.includes(key));
  assert.equal(left.length, 30);
  assert.ok(left.every(([, { storedMs }]) => storedMs >= 1_700_000_000_000 + 10 * 60_000));
  assert.ok(others.every((key) => server.objects.has(key)));
  assert.deepEqual(server.refused, []);
});

test('a list without an end ends, and a part of what it named leaves', async () => {
  let pages = 0;
  const removed: string[] = [];
  const client = {
    page: () => {
      pages += 1;
      const objects = [
        { kind: 'object', name: `objects/${nameOf(pages)}`, bytes: 1, storedMs: pages },
      ] as const;
      return Promise.resolve({ objects, next: 'again' });
    },
    remove: (name: string) => {
      removed.push(name);
      return Promise.resolve();
    },
  };
  const { cacheBucketPagesMax } = defaultLimits;
  assert.equal((await bucketStats(client, signal)).isAll, false);
  assert.equal(pages, cacheBucketPagesMax);
  assert.equal(await makeRoom(client, 1e9, signal), Math.ceil(cacheBucketPagesMax / 16));
  assert.equal(removed.length, Math.ceil(cacheBucketPagesMax / 16));
});

test('a page that is none, or cut anywhere, gives nothing that it has not', () => {
  const one = `<Contents><Key>p/objects/${nameOf(1)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>12</Size></Contents>`;
  const xml = `<ListBucketResult><IsTruncated>true</IsTruncated>${one}<NextContinuationToken>a&amp;b&#x2b;&#47;</NextContinuationToken></ListBucketResult>`;
  const whole = readPage(xml, 'p/');
  assert.deepEqual(whole, {
    objects: [{ kind: 'object', name: `objects/${nameOf(1)}`, bytes: 12, storedMs: Date.UTC(2026, 0, 1) }],
    next: 'a&b+/',
  });
  for (let at = 0; at < xml.length; at += 1) {
    const { objects, next } = readPage(xml.slice(0, at), 'p/');
    assert.ok(objects.length === 0 || objects[0]?.bytes === 12);
    assert.ok(next === undefined || at > xml.length - 30);
  }
  for (const bad of [
    xml.replace('<Size>12<', '<Size>-1<'),
    xml.replace('<Size>12<', '<Size>1e3<'),
    xml.replace('2026-01', 'then'),
    xml.replace('p/objects', 'q/objects'),
    xml.replace('objects', 'objects/..'),
    xml.replace('<Key>', '<Key><Key>'),
  ])
    assert.deepEqual(readPage(bad, 'p/').objects, [], bad);
  assert.equal(readPage(one.repeat(3000), 'p/').objects.length, 1000);
  assert.equal(readPage(xml.replace('a&amp;b', 'a'.repeat(5000)), 'p/').next, undefined);
  const random = seeded(20);
  const pieces = [
    '<Contents>',
    '</Contents>',
    '<Key>',
    '</Key>',
    '&#x7fffff;',
    '&amp',
    'p/objects/',
    nameOf(2),
    '<',
  ];
  for (let i = 0; i < 2000; i += 1) {
    const text = Array.from({ length: 12 }, () => pieces[Math.floor(random() * pieces.length)]).join('');
    assert.deepEqual(readPage(text, 'p/').objects, []);
  }
});
