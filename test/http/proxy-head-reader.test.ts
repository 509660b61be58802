import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProxyHeadReader } from '../../src/http/proxy-head-reader.ts';
import { parseProxyHead } from '../../src/http/proxy-head.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

const limits = { ...defaultLimits, connectHeadBytesMax: 200, headBytesMax: 300 };

/** The outcome of one reader, as text: a state, or the code and message of what is thrown. */
function outcomeOf(read: () => unknown): string {
  try {
    return JSON.stringify(read());
  } catch (error) {
    return String(error);
  }
}

const line = fc.constantFrom(
  'CONNECT a.test:443 HTTP/1.1\r\n',
  'GET http://a.test/ HTTP/1.1\r\n',
  'host: a.test\r\n',
  'x: y\n',
  'a\rb: c\r\n',
  'no colon\r\n',
  'content-length: 5\r\n',
  '\r\n',
  '\u0016\u0003\u0001',
  'x'.repeat(150),
);

test('in any pieces it says what the whole says, as soon as that can be known', () => {
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (lines, sizes) => {
        const bytes = Buffer.from(`${lines.join('')}\r\n\r\n`, 'latin1');
        const reader = new ProxyHeadReader(limits);
        let last = '{"state":"incomplete"}';
        let at = 0;
        for (let i = 0; at < bytes.length; i++) {
          const piece = bytes.subarray(at, at + sizes[i % sizes.length]!);
          at += piece.length;
          last = outcomeOf(() => reader.push(piece));
          assert.deepEqual(Buffer.from(reader.bytes), bytes.subarray(0, at));
          if (last !== '{"state":"incomplete"}') break;
        }
        assert.equal(
          last,
          outcomeOf(() => parseProxyHead(bytes.subarray(0, at), limits)),
        );
      },
    ),
    { seed: 20261126, numRuns: 2000 },
  );
});

test('a head that comes octet by octet costs what its octets cost', () => {
  const wide = {
    ...defaultLimits,
    connectHeadBytesMax: 1 << 22,
    headersCountMax: 1 << 20,
    headBytesMax: 1 << 22,
  };
  /** Processor time of so many heads, in microseconds; the clock of it goes in steps of up to 10 ms. */
  const cost = (octets: number, heads: number): number => {
    const head = Buffer.from(`CONNECT a.test:443 HTTP/1.1\r\n${'a: b\r\n'.repeat(octets / 6)}`);
    const { user } = process.cpuUsage();
    for (let n = 0; n < heads; n++) {
      const reader = new ProxyHeadReader(wide);
      for (let i = 0; i < head.length; i++) reader.push(head.subarray(i, i + 1));
    }
    return process.cpuUsage().user - user;
  };
  cost(60_000, 2);
  const rounds = Array.from({ length: 3 }, () => cost(240_000, 6) / Math.max(1, cost(60_000, 24)));
  const ratio = Math.min(...rounds);
  // The same octets in heads of four times the size; would they cost their square, it were four times as much.
  assert.ok(ratio < 2.5, `the same octets in larger heads cost ${ratio.toFixed(1)} times as much`);
});
