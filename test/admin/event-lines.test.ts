import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLines } from '../../src/admin/event-lines.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

test('lines end in three ways, and pieces may cut them anywhere', () => {
  const whole = Buffer.from(
    ': a\ndata: 1\r\ndata: 2\r\nid: x\r\n\r\ndata:3\r\rid: y\nother\ndata: ä\n\ndata: cut',
  );
  for (let size = 1; size < whole.length; size += 1) {
    const lines = new EventLines();
    const found = [];
    for (let at = 0; at < whole.length; at += size) found.push(...lines.push(whole.subarray(at, at + size)));
    assert.deepEqual(found, [
      { id: 'x', data: '1\n2' },
      { id: 'x', data: '3' },
      { id: 'y', data: 'ä' },
    ]);
  }
});

test('what is not kept does not count, and what is has a bound over all lines of an event', () => {
  const comment = Buffer.from(`: ${'x'.repeat(1000)}\n`);
  const data = Buffer.from(`data: ${'x'.repeat(1000)}\n`);
  const lines = new EventLines();
  const rounds = Math.ceil(defaultLimits.adminEventBytesMax / 1000) + 1;
  for (let i = 0; i < rounds; i += 1) assert.deepEqual(lines.push(comment), []);
  assert.throws(() => {
    for (let i = 0; i < rounds; i += 1) lines.push(data);
  }, RangeError);
  assert.throws(() => new EventLines().push(Buffer.from([0x64, 0xff])), TypeError);
});
