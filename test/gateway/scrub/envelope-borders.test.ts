import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EnvelopeBorders, envelopeFormOf } from '../../../src/gateway/scrub/envelope-borders.ts';
import { ResponseScrubber } from '../../../src/gateway/scrub/response-scrubber.ts';
import { searchedFor } from '../support/searched.ts';

function bordersOf(type: string): EnvelopeBorders {
  const form = envelopeFormOf(type, 'origin.test');
  assert.ok(form);
  return new EnvelopeBorders(form, 'origin.test');
}

function message(payload: string, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, Buffer.from(payload)]);
}

function frame(payload: string): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32BE(16 + payload.length, 0);
  return Buffer.concat([head, Buffer.from(payload), Buffer.alloc(4)]);
}

for (const [type, make] of [
  ['application/grpc', message],
  ['application/connect+json', message],
  ['application/vnd.amazon.eventstream', frame],
] as const)
  test(`each message of ${type} leaves when it is whole, in any pieces`, () => {
    const whole = [make('one'), make(''), make('three'.repeat(40))];
    const bytes = Buffer.concat(whole);
    const ends = whole.map((_, at) => Buffer.concat(whole.slice(0, at + 1)).length);
    for (let size = 1; size <= bytes.length; size += 1) {
      const borders = bordersOf(type);
      const scrubber = new ResponseScrubber(searchedFor('a-secret-of-it'), { borders });
      let sent = 0;
      for (let at = 0; at < bytes.length; at += size) {
        sent += scrubber.push(bytes.subarray(at, at + size)).length;
        const end = ends.findLast((one) => one <= at + size) ?? 0;
        assert.ok(sent >= Math.min(end, bytes.length), `${sent} of ${end} by ${size}`);
      }
      assert.equal(sent, bytes.length);
    }
  });

test('a message that says that it is compressed, or nothing known, does not pass', () => {
  for (const flags of [1, 3, 0x81, 4, 0x2a])
    assert.throws(() => bordersOf('application/grpc').last(message('x', flags), 0), {
      code: 'origin_malformed',
    });
  for (const flags of [0, 2, 0x80])
    assert.equal(bordersOf('application/grpc').last(message('x', flags), 0), 6);
});

test('a length that is text, or holds a part of the value, does not pass', () => {
  const text = Buffer.from('\0tok-0123');
  assert.throws(() => bordersOf('application/grpc').last(text, 0), { code: 'origin_malformed' });
  const borders = bordersOf('application/grpc');
  const scrubber = new ResponseScrubber(searchedFor('tok-0123'), { borders });
  assert.throws(
    () => {
      scrubber.push(Buffer.from('\0\0tok'));
      scrubber.push(Buffer.from('-0123'));
    },
    { code: 'origin_malformed' },
  );
});
