import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeakSearch } from '../../../src/gateway/leaks/leak-search.ts';
import { WebSocketGuard } from '../../../src/gateway/leaks/websocket-guard.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { sample, soughtFor } from '../support/leaks.ts';

const sought = soughtFor({ held: sample.token });
const mask = Buffer.of(7, 0, 0x5a, 0xff);

function frame(text: string, { code = 1, isFinal = true } = {}): Buffer {
  const payload = Buffer.from(text);
  assert.ok(payload.length < 126);
  const header = Buffer.of((isFinal ? 0x80 : 0) | code, 0x80 | payload.length);
  return Buffer.concat([header, mask, payload.map((octet, i) => octet ^ (mask[i % 4] ?? 0))]);
}

/** What leaves of the frames, in pieces of that size, and the error that ends them. */
function passed(bytes: Buffer, size: number): { readonly left: Buffer; readonly fault: unknown } {
  let fault: unknown;
  const guard = new WebSocketGuard({
    searches: { messages: new LeakSearch(sought), controls: new LeakSearch(sought) },
    onLeak: ({ name }) => new ProxyError('leak_found', name),
    onEnd: (error) => (fault = error),
  });
  for (let at = 0; at < bytes.length; at += size)
    guard._transform(bytes.subarray(at, at + size), 'latin1', () => undefined);
  const left: Buffer[] = [];
  for (let piece = guard.read() as Buffer | null; piece !== null; piece = guard.read() as Buffer | null)
    left.push(piece);
  return { left: Buffer.concat(left), fault };
}

const before = frame('hello');
const half = sample.token.length / 2;
const messages: Readonly<Record<string, readonly Buffer[]>> = {
  'one frame': [frame(`{"a":"${sample.token}"}`)],
  'two frames': [
    frame(sample.token.slice(0, half), { isFinal: false }),
    frame(sample.token.slice(half), { code: 0 }),
  ],
};

for (const [how, frames] of Object.entries(messages))
  for (const size of [1, 3, 1000])
    test(`of a value in ${how}, in pieces of ${size}, a close leaves in its place`, () => {
      const { left, fault } = passed(Buffer.concat([before, ...frames]), size);
      assert.ok(fault instanceof ProxyError);
      const isTogether = size === 1000;
      // What came in one piece with it is judged with it.
      assert.deepEqual(
        left.subarray(0, isTogether ? 0 : before.length),
        isTogether ? Buffer.alloc(0) : before,
      );
      const close = left.subarray(isTogether ? 0 : before.length);
      assert.deepEqual([close[0], close[1], close.length], [0x88, 0x82, 8]);
    });

test('frames without a value leave as they came, whole at the end of each message', () => {
  const bytes = Buffer.concat([
    before,
    frame('a', { isFinal: false }),
    frame('x', { code: 9 }),
    frame('b', { code: 0 }),
  ]);
  for (const size of [1, 5, 1000]) assert.deepEqual(passed(bytes, size), { left: bytes, fault: undefined });
});
