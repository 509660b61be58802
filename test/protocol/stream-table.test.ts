import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { StreamTable } from '../../src/protocol/stream-table.ts';

describe('the stream table', () => {
  test('tells a stream that is over from one that never was', () => {
    const table = new StreamTable(defaultLimits);
    table.forget(table.add(1));
    assert.equal(table.find(1, 'data'), undefined);
    assert.throws(() => table.find(2, 'data'), { code: 'frame_unexpected', message: /stream 2/ });
  });

  test('keeps an ended stream with held bytes as draining, which no longer lives', () => {
    const table = new StreamTable(defaultLimits);
    const stream = table.add(1);
    stream.receive.received(10, 0);
    stream.remoteEnded = true;
    table.retire(stream);
    assert.equal(table.get(1), undefined);
    assert.equal(table.getHolding(1)?.state, 'closed');
    assert.deepEqual([table.liveCount, table.count], [0, 1]);
    stream.receive.consumed(10, 0, undefined);
    table.settle(stream);
    assert.deepEqual([table.getHolding(1), table.count], [undefined, 0]);
  });

  test('forgets every stream wherever it stands', () => {
    const table = new StreamTable(defaultLimits);
    table.add(1);
    const stream = table.add(2);
    stream.receive.received(10, 0);
    table.retire(stream);
    assert.equal(table.count, 2);
    table.clear();
    assert.equal(table.count, 0);
  });
});
