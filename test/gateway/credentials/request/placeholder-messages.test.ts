import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { PlaceholderMessages } from '../../../../src/gateway/credentials/request/placeholder-messages.ts';
import { applyMask, headerLength, writeHeader } from '../../../../src/net/websocket-frame.ts';
import { WebSocketFrameGuard } from '../../../../src/net/websocket-frame-guard.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const word = 'upstreamproxy-placeholder-chat';
const secret = 'canary "quoted" \\ value';
const mask = Buffer.of(7, 0, 0x5a, 0xff);

function frame(text: string | Buffer, { code = 1, isFinal = true } = {}): Buffer {
  const payload = Buffer.from(text);
  const header = headerLength(payload.length, true);
  const whole = Buffer.alloc(header + payload.length);
  writeHeader(whole, 0, { opcode: code, length: payload.length, mask, isFinal });
  applyMask(payload, mask, 0);
  whole.set(payload, header);
  return whole;
}

interface Said {
  readonly code: number;
  readonly text: string;
}

/** Frames of a client, which have to be some. */
function read(bytes: Buffer): readonly Said[] {
  const guard = new WebSocketFrameGuard({ sender: 'client', isCompressed: false });
  guard.check(bytes);
  const said: Said[] = [];
  for (let at = 0; at < bytes.length;) {
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const length = short < 126 ? short : bytes.readUInt16BE(at + 2);
    const start = at + (short < 126 ? 2 : 4);
    const payload = Buffer.from(bytes.subarray(start + 4, start + 4 + length));
    applyMask(payload, bytes.subarray(start, start + 4), 0);
    said.push({ code: bytes.readUInt8(at) & 0x8f, text: payload.toString() });
    at = start + 4 + length;
  }
  return said;
}

function passed(frames: readonly Buffer[], { messages = 2, size = 1_000_000 } = {}) {
  const names: string[] = [];
  const sought = [{ name: 'chat', placeholder: word, secret: new Secret(secret), messages }];
  const transform = new PlaceholderMessages(sought, (name) => names.push(name));
  const bytes = Buffer.concat(frames);
  for (let at = 0; at < bytes.length; at += size)
    transform._transform(bytes.subarray(at, at + size), 'latin1', () => undefined);
  const left: Buffer[] = [];
  for (
    let piece = transform.read() as Buffer | null;
    piece !== null;
    piece = transform.read() as Buffer | null
  )
    left.push(piece);
  return { left: Buffer.concat(left), names };
}

const logIn = (token: string): string => JSON.stringify({ op: 2, d: { token, name: 'me' } });

test('the placeholder in a log-in becomes the secret, however the message is cut', () => {
  const text = logIn(word);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 6 }),
      (size, cuts) => {
        const parts: string[] = [];
        let rest = text;
        for (const cut of cuts) {
          parts.push(rest.slice(0, cut));
          rest = rest.slice(cut);
        }
        parts.push(rest);
        const frames = parts.flatMap((part, i) => [
          frame(part, { code: i === 0 ? 1 : 0, isFinal: i === parts.length - 1 }),
          ...(i < parts.length - 1 ? [frame('beat', { code: 9 })] : []),
        ]);
        const { left, names } = passed(frames, { size });
        const said = read(left);
        assert.deepEqual(said.filter(({ code }) => code === 0x89).length, parts.length - 1);
        assert.deepEqual(said.at(-1), { code: 0x81, text: logIn(secret) });
        assert.deepEqual(names, ['chat']);
      },
    ),
    { seed: 1, numRuns: 100 },
  );
});

test('what is replaced is a whole string, alone or behind Bearer, or a whole message', () => {
  for (const [sent, said] of [
    [`["1","phx_join",{"token":"${word}"}]`, `["1","phx_join",{"token":${JSON.stringify(secret)}}]`],
    [`{"Authorization":"Bearer ${word}"}`, `{"Authorization":${JSON.stringify(`Bearer ${secret}`)}}`],
    [`"${word}"`, JSON.stringify(secret)],
    [` ${word}\n`, ` ${secret}\n`],
    [`{"text":"see ${word}"}`, undefined],
    [`{"${word}":1}`, undefined],
    [`PASS oauth:${word}`, undefined],
    ['', undefined],
  ] as const) {
    const { left, names } = passed([frame(sent)]);
    if (said === undefined) assert.deepEqual({ left, names }, { left: frame(sent), names: [] });
    else assert.deepEqual(read(left), [{ code: 0x81, text: said }], sent);
  }
});

test('only the first messages of text are searched, and no others change', () => {
  const frames = [
    frame(logIn(word), { code: 2 }),
    frame(logIn('other'), { isFinal: false }),
    frame(word, { code: 9 }),
    frame('', { code: 0 }),
    frame(logIn(word)),
    frame(word),
  ];
  for (const size of [1, 7, 1_000_000]) {
    const { left, names } = passed(frames, { size });
    // The ping goes on at once, the message behind it when it is whole.
    const [first, second, ping, end, ...others] = frames;
    assert.deepEqual(
      left,
      Buffer.concat([first, ping, second, end, ...others].filter((one) => one !== undefined)),
    );
    assert.deepEqual(names, []);
  }
  assert.deepEqual(passed(frames, { messages: 3 }).names, ['chat']);
});

test('a message that is too long goes on as it came, and one that does not end never', () => {
  const long = frame(logIn('x'.repeat(20_000)).replace('me', word), { isFinal: false });
  for (const frames of [
    [long, frame(logIn(word), { code: 0 })],
    [
      frame('{', { isFinal: false }),
      frame(Buffer.alloc(17_000, ' '), { code: 0, isFinal: false }),
      frame(logIn(word), { code: 0 }),
    ],
  ])
    for (const size of [3, 1_000_000])
      assert.deepEqual(passed(frames, { size, messages: 1 }), { left: Buffer.concat(frames), names: [] });
  assert.deepEqual(passed([frame(logIn(word), { isFinal: false })]).left, Buffer.alloc(0));
  const endless = Array.from({ length: 40_000 }, () => frame('', { code: 0, isFinal: false }));
  const { left } = passed([frame('{', { isFinal: false }), ...endless]);
  assert.equal(left.length, 7 + 6 * endless.length);
});
