import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeCode, decodeClose } from '../../src/net/websocket-frame.ts';
import { WebSocketGate } from '../../src/net/websocket-gate.ts';
import type { ProxyError } from '../../src/protocol/error.ts';

const frame = (first: number, payload: string): Buffer => {
  const bytes = Buffer.from(payload, 'latin1');
  return Buffer.concat([Buffer.of(first, bytes.length), bytes]);
};
const good = [frame(0x81, 'hello'), frame(0x89, ''), frame(0x82, 'x'.repeat(100))];
const bad: Readonly<Record<string, readonly [bytes: Buffer, code: number]>> = {
  'a reserved opcode': [frame(0x83, 'x'), closeCode.protocolError],
  'a length in more octets than it needs': [Buffer.from('827e0001', 'hex'), closeCode.protocolError],
  'a reserved bit': [frame(0xf1, 'x'), closeCode.protocolError],
  'a close whose reason is no UTF-8': [frame(0x88, '\x03\xe8\xff'), closeCode.invalidPayload],
  'a close of one octet': [frame(0x88, '\x03'), closeCode.protocolError],
};

/** What comes out of a gate for the pieces, and its fault. */
async function through(
  pieces: readonly Buffer[],
  sender: 'client' | 'server' = 'server',
): Promise<{ readonly bytes: Buffer; readonly fault: ProxyError | undefined }> {
  let fault: ProxyError | undefined;
  const gate = new WebSocketGate({ sender, isCompressed: false, onFault: (error) => (fault = error) });
  for (const piece of pieces) gate.write(piece);
  gate.end();
  const out: Buffer[] = [];
  for await (const chunk of gate) out.push(chunk as Buffer);
  return { bytes: Buffer.concat(out), fault };
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}

for (const [what, [bytes, code]] of Object.entries(bad)) {
  test(`what stood before ${what} is delivered, and a close with ${code} behind it, in any pieces`, async () => {
    const before = Buffer.concat(good);
    for (const size of [1, 2, 3, 11, 1000]) {
      const { bytes: out, fault } = await through(
        pieces(Buffer.concat([before, bytes, frame(0x81, 'later')]), size),
      );
      assert.deepEqual(out.subarray(0, before.length), before, `in pieces of ${size}`);
      const rest = out.subarray(before.length);
      assert.deepEqual([...rest.subarray(0, 2)], [0x88, rest.length - 2]);
      assert.equal(decodeClose(rest.subarray(2)).code, code);
      assert.equal(fault?.code, 'websocket_malformed');
    }
  });
}

test('what is well-formed passes unchanged, in any pieces, and an end in a header is passed on as it came', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...good)),
      fc.integer({ min: 1, max: 20 }),
      async (frames, size) => {
        const bytes = Buffer.concat([...frames, Buffer.of(0x81)]);
        const { bytes: out, fault } = await through(pieces(bytes, size));
        assert.deepEqual(out, bytes);
        assert.equal(fault, undefined);
      },
    ),
    { seed: 20261126, numRuns: 200 },
  );
});

test('a close towards a server is masked', async () => {
  const { bytes } = await through([Buffer.of(0xff, 0x80)], 'client');
  assert.equal(bytes.length, 2 + 4 + 2);
  assert.equal(bytes[1], 0x82);
  const payload = bytes.subarray(6).map((octet, i) => octet ^ (bytes[2 + i] ?? 0));
  assert.equal(decodeClose(payload).code, closeCode.protocolError);
});

test('the gateway closes where a frame can stand, and adds nothing in the midst of one', async () => {
  const whole = new WebSocketGate({ sender: 'server', isCompressed: false, onFault: () => undefined });
  whole.write(frame(0x01, 'part of a message'));
  whole.write(Buffer.of(0x80));
  whole.close(closeCode.policyViolation);
  const said = Buffer.concat((await whole.toArray()) as Buffer[]);
  assert.deepEqual(said, Buffer.concat([frame(0x01, 'part of a message'), frame(0x88, '\x03\xf0')]));
  const midst = new WebSocketGate({ sender: 'server', isCompressed: false, onFault: () => undefined });
  midst.write(Buffer.of(0x82, 5, 1, 2));
  midst.close(closeCode.policyViolation);
  assert.deepEqual(Buffer.concat((await midst.toArray()) as Buffer[]), Buffer.of(0x82, 5, 1, 2));
});
