import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storedResponse } from '../../../src/gateway/cache/stored-response.ts';

const archive = { bytes: 100, fields: [['content-type', 'text/plain']] as const, storedMs: 1000 };

test('of a part that was asked for as HTTP says, that part is sent; of anything else the whole', () => {
  const cases: readonly (readonly [range: string | undefined, status: number, from: number, to: number])[] = [
    [undefined, 200, 0, 100],
    ['bytes=0-0', 206, 0, 1],
    ['bytes=10-19', 206, 10, 20],
    ['Bytes=90-', 206, 90, 100],
    ['bytes=90-1000', 206, 90, 100],
    ['bytes=-7', 206, 93, 100],
    ['bytes=-1000', 206, 0, 100],
    ['bytes=100-', 416, 0, 0],
    ['bytes=-0', 416, 0, 0],
    ['bytes=9-8', 200, 0, 100],
    ['bytes=0-1,3-4', 200, 0, 100],
    ['bytes=-', 200, 0, 100],
    ['bytes=', 200, 0, 100],
    ['octets=0-1', 200, 0, 100],
    ['bytes=0-1x', 200, 0, 100],
    ['bytes=+0-1', 200, 0, 100],
    ['bytes=0-9999999999999999', 200, 0, 100],
  ];
  for (const [range, status, from, to] of cases) {
    const said = storedResponse(archive, range, 1000);
    assert.deepEqual([said.status, said.from, said.to], [status, from, to], range ?? 'no range');
    const length = String(status === 416 ? 0 : to - from);
    assert.deepEqual(said.rawHeaders.slice(said.rawHeaders.indexOf('content-length')), [
      'content-length',
      length,
    ]);
  }
});

test('its age is the time since it was stored, and never negative', () => {
  const ageAt = (nowMs: number): string | undefined => {
    const { rawHeaders } = storedResponse(archive, undefined, nowMs);
    return rawHeaders[rawHeaders.indexOf('age') + 1];
  };
  assert.deepEqual([ageAt(1000), ageAt(3999), ageAt(0)], ['0', '2', '0']);
});
