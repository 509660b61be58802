// Fuzz target: messages of an origin on a WebSocket that are searched for a secret, in frames and chunks of any size. What comes
// out is the same messages with the secret replaced, the same PINGs at the same places, and what waits is as long whatever the text.
// An input is hexadecimal: the first octet is the size of a chunk. Options as in run-target.ts.

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { WebSocketScrubber } from '../src/gateway/scrub/websocket-scrubber.ts';
import { buildSearchTable } from '../src/gateway/scrub/search-table.ts';
import { WebSocketFault } from '../src/net/websocket-frame.ts';
import { WebSocketFrameGuard } from '../src/net/websocket-frame-guard.ts';
import { runTarget, type Random } from './run-target.ts';

const secret = 'aabaaabaac';
const forms = [Buffer.from(secret), Buffer.from('baabab')];
const table = buildSearchTable({ plain: forms, base64: [] }, 1_000_000);
assert.ok(table);
const searched = { tables: [table] };
const window = 64;

function frame(first: number, payload: string): Buffer {
  const { length } = payload;
  const size = length < 126 ? Buffer.of(length) : Buffer.of(126, length >> 8, length & 255);
  return Buffer.concat([Buffer.of(first), size, Buffer.from(payload, 'latin1')]);
}

/** Words of which secrets are made, so that their beginnings are everywhere. */
function text(random: Random, countMax: number): string {
  const words = ['a', 'b', 'aab', 'aabaaab', secret, 'baabab', 'x', 'c'];
  let made = '';
  for (let count = random(countMax + 1); count > 0; count--) made += words[random(words.length)] ?? '';
  return made;
}

function generate(random: Random): string {
  const parts: Buffer[] = [Buffer.of(1 + random(40))];
  for (let messages = random(4); messages >= 0; messages--) {
    for (let frames = random(5), first = 1 + random(2); frames >= 0; frames--) {
      parts.push(frame(first | (frames === 0 ? 0x80 : 0), text(random, random(10) === 0 ? 60 : 4)));
      first = 0;
      if (random(3) === 0) parts.push(frame(random(2) === 0 ? 0x89 : 0x8a, text(random, 4).slice(0, 125)));
    }
  }
  const bytes = Buffer.concat(parts);
  if (random(10) === 0) bytes[1 + random(bytes.length - 1)] = random(256);
  return bytes.subarray(0, random(5) === 0 ? 1 + random(bytes.length) : bytes.length).toString('hex');
}

interface Read {
  /** Messages and control frames, a control inside of a message before it. */
  readonly items: readonly string[];
  /** Payload of the message that is not over, and bytes of a frame that is not. */
  readonly message: string;
  readonly left: string;
}

/** Written from RFC 6455 §5.2 with none of the product's code. */
function readFrames(bytes: Buffer): Read {
  const items: string[] = [];
  let message = '';
  let kind = 0;
  for (let at = 0; ;) {
    const [first, short] = [bytes[at], bytes[at + 1]];
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const from = at + 2 + extended;
    if (first === undefined || short === undefined || from > bytes.length)
      return { items, message, left: bytes.subarray(at).toString('latin1') };
    const length =
      extended === 0
        ? short
        : extended === 2
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    const payload = bytes.subarray(from, from + length).toString('latin1');
    if (from + length > bytes.length) return { items, message, left: bytes.subarray(at).toString('latin1') };
    at = from + length;
    const opcode = first & 15;
    if (opcode >= 8) {
      items.push(`${opcode}:${payload}`);
      continue;
    }
    if (opcode > 0) kind = opcode;
    message += payload;
    if (first < 128) continue;
    items.push(`${kind}:${message}`);
    message = '';
  }
}

const scrubbed = (item: string): string => {
  const out = [...item];
  for (const form of forms.map(String))
    for (let at = item.indexOf(form); at !== -1; at = item.indexOf(form, at + 1))
      out.fill('*', at, at + form.length);
  return out.join('');
};

function isValid(bytes: Buffer): boolean {
  try {
    new WebSocketFrameGuard({ sender: 'server', isCompressed: false }).check(bytes);
    return true;
  } catch (error) {
    if (error instanceof WebSocketFault) return false;
    throw error;
  }
}

await runTarget({
  name: 'websocket scrubber',
  generate,
  async check(input) {
    const [size = 1, ...rest] = Buffer.from(input, 'hex');
    const bytes = Buffer.from(rest);
    if (!isValid(bytes)) return false;
    const scrubber = new WebSocketScrubber(searched);
    let out = Buffer.alloc(0);
    scrubber.on('data', (chunk: Buffer) => (out = Buffer.concat([out, chunk])));
    for (let at = 0; at < bytes.length; at += size || 1) {
      scrubber.write(bytes.subarray(at, at + (size || 1)));
      await new Promise(setImmediate);
      const [came, went] = [readFrames(bytes.subarray(0, at + (size || 1))), readFrames(out)];
      assert.deepEqual(
        went.items,
        came.items.map(scrubbed),
        'something that is complete waits, or is not the same',
      );
      if (came.left === '' && went.left === '')
        assert.equal(
          came.message.length - went.message.length,
          Math.min(window, came.message.length),
          'what waits is not the window',
        );
    }
    scrubber.end();
    await once(scrubber, 'end');
    const [came, went] = [readFrames(bytes), readFrames(out)];
    assert.deepEqual(went.items, came.items.map(scrubbed));
    // Of what is not over the window is dropped.
    if (came.left === '')
      assert.equal(went.message, scrubbed(came.message).slice(0, Math.max(0, came.message.length - window)));
    assert.ok(!went.message.includes(secret));
    return true;
  },
});
