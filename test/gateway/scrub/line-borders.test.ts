import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventBorders, lineBorders } from '../../../src/gateway/scrub/line-borders.ts';

const last = (text: string, from = 0): number => lineBorders.last(Buffer.from(text), from);

test('the last line end that is new is the border', () => {
  assert.equal(last('one\ntwo\r\nthr'), 9);
  assert.equal(last('one\ntwo', 4), 0);
  assert.equal(last('none'), 0);
  assert.equal(last('\n'), 1);
});

test('a line end behind a long run of Base64 is none, whether it was marked or not', () => {
  for (const run of ['aB3/'.repeat(15), 'a-_+'.repeat(19), `${'a'.repeat(30)}${'*'.repeat(30)}`])
    for (const lineEnd of ['\n', '\r\n']) {
      assert.equal(last(`${run}${lineEnd}`), 0);
      assert.equal(last(`before\n${run}${lineEnd}`), 7);
      assert.equal(last(`${run}"${lineEnd}`), run.length + 1 + lineEnd.length);
    }
  assert.equal(last(`${'a'.repeat(59)}\n`), 60);
});

test('an event ends with its empty line, in every kind of line end and in any pieces', () => {
  for (const lineEnd of ['\n', '\r', '\r\n']) {
    const events = [
      `data: one${lineEnd}${lineEnd}`,
      `: comment${lineEnd}data: two${lineEnd}${lineEnd}`,
      'data: thr',
    ];
    const text = Buffer.from(events.join(''));
    for (let size = 1; size <= text.length; size += 1) {
      const borders = new EventBorders();
      const seen = new Set<number>();
      for (let at = 0; at < text.length; at += size) {
        const border = borders.last(text.subarray(0, at + size), at);
        if (border > 0) seen.add(border);
      }
      const [one = '', two = ''] = events;
      assert.equal(Math.max(...seen), one.length + two.length, `${JSON.stringify(lineEnd)} by ${size}`);
      if (size === 1) assert.ok(seen.has(one.length));
    }
  }
});
