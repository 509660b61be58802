import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { BodyGuard, type OnLeak } from '../../../src/gateway/leaks/body-guard.ts';
import { CodedBodyGuard } from '../../../src/gateway/leaks/coded-body-guard.ts';
import { LeakSearch, type LeakSought } from '../../../src/gateway/leaks/leak-search.ts';
import { type Borders, noBorders } from '../../../src/gateway/scrub/borders.ts';
import { lineBorders } from '../../../src/gateway/scrub/line-borders.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { sample, soughtFor } from '../support/leaks.ts';

const { leakWindowBytes } = defaultLimits;
const fault = new ProxyError('leak_found', 'found');
const blocking: OnLeak = () => fault;
const redacting: OnLeak = (_match, isKept) => (isKept ? undefined : fault);

interface Passed {
  /** The lengths of what left, piece by piece and at the end. */
  readonly lengths: readonly number[];
  readonly bytes: Buffer;
  readonly error: unknown;
}

async function passBody(
  pieces: readonly Buffer[],
  sought: LeakSought,
  { onLeak = blocking, borders = noBorders }: { readonly onLeak?: OnLeak; readonly borders?: Borders } = {},
): Promise<Passed> {
  const guard = new BodyGuard({ search: new LeakSearch(sought), isWaiting: true, borders, onLeak });
  let error: unknown;
  guard.on('error', (given) => (error = given));
  const lengths: number[] = [];
  const out: Buffer[] = [];
  const take = (): void => {
    const read = guard.read() as Buffer | null;
    lengths.push(read?.length ?? 0);
    if (read !== null) out.push(read);
  };
  for (const piece of pieces) {
    await new Promise((resolve) => guard.write(piece, resolve));
    take();
  }
  if (error === undefined) {
    await new Promise((resolve) => guard.end(resolve));
    take();
  }
  guard.destroy();
  return { lengths, bytes: Buffer.concat(out), error };
}

test('of a body with a value nothing of the value leaves, wherever it is cut', async () => {
  const sought = soughtFor({ held: sample.token });
  const text = Buffer.from(`${'a'.repeat(9000)}${sample.token}${'b'.repeat(9000)}`);
  for (const size of [1, 7, 4096, 16_384, 30_000]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
      text.subarray(i * size, (i + 1) * size),
    );
    const { bytes, error } = await passBody(pieces, sought);
    assert.equal(error, fault);
    assert.ok(/^a*$/.test(bytes.toString()), `pieces of ${size}`);
  }
});

test('a body without a value leaves whole, and its last octets wait for what follows', async () => {
  const sought = soughtFor({ held: sample.token });
  const pieces = [Buffer.alloc(5000, 1), Buffer.alloc(1, 2), Buffer.alloc(3000, 3)];
  const { lengths, bytes, error } = await passBody(pieces, sought);
  assert.equal(error, undefined);
  assert.deepEqual(bytes, Buffer.concat(pieces));
  assert.deepEqual(lengths, [5000 - leakWindowBytes, 1, 3000, leakWindowBytes]);
});

test('redacted, a body keeps its length, and what stands between the letters of a value', async () => {
  const sought = soughtFor({ held: sample.token });
  const apart = sample.token.match(/.{1,5}/g)?.join('", "') ?? '';
  const text = `{"a":"${sample.token}","b":["${apart}"]}`;
  for (const cut of [0, 8, 20, 50, text.length - 3]) {
    const pieces = [Buffer.from(text.slice(0, cut)), Buffer.from(text.slice(cut))];
    const { bytes, error } = await passBody(pieces, sought, { onLeak: redacting });
    assert.equal(error, undefined);
    assert.equal(bytes.length, text.length);
    assert.doesNotThrow(() => JSON.parse(bytes.toString()));
    assert.ok(!/[0-9]/.test(bytes.toString()), bytes.toString());
  }
});

test('what began behind the window cannot be redacted, and ends the body', async () => {
  const sought = soughtFor({ held: sample.token });
  const text = Buffer.from(sample.token.split('').join(' '.repeat(400)));
  const { error } = await passBody([text.subarray(0, 8000), text.subarray(8000)], sought, {
    onLeak: redacting,
  });
  assert.equal(error, fault);
});

/** Of the alphabet of Base64, so that all forms of as many letters have the same lengths. */
const letter = fc.constantFrom(...'abAB01-_');
const secretOf = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: letter, minLength: length, maxLength: length });

/** Two secrets, and two bodies in pieces of the same lengths that are made of parts of either. */
const twins = fc
  .tuple(fc.integer({ min: 16, max: 90 }), fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 8 }))
  .chain(([length, sizes]) =>
    fc.tuple(secretOf(length), secretOf(length)).chain(([one, other]) => {
      const material = [one, other].flatMap((secret) =>
        [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')].flatMap(
          (form) => [form, form.slice(0, -1), form.slice(0, 7), form.slice(3)],
        ),
      );
      const body = fc
        .array(fc.oneof(fc.constantFrom(...material), fc.string({ unit: letter, maxLength: 9 })), {
          maxLength: 200,
        })
        .map((parts) => {
          const all = sizes.reduce((sum, size) => sum + size, 0);
          const text = Buffer.from(parts.join('').padEnd(all, 'a'));
          let at = 0;
          return sizes.map((size) => text.subarray(at, (at += size)));
        });
      return fc.tuple(fc.constant([one, other] as const), body, body);
    }),
  );

test('what leaves when depends on lengths alone, whatever the secret and the body are', async () => {
  // The workload owns the origin: all that it sees are lengths and times of what comes.
  const seen = async (pieces: readonly Buffer[], secret: string): Promise<readonly number[]> =>
    (
      await passBody(
        pieces,
        { ...soughtFor({ held: secret }), kinds: new Set(['credential']) },
        {
          onLeak: () => undefined,
        },
      )
    ).lengths;
  await fc.assert(
    fc.asyncProperty(twins, async ([[one, other], body, otherBody]) => {
      const expected = await seen(body, one);
      assert.deepEqual(await seen(body, other), expected);
      assert.deepEqual(await seen(otherBody, one), expected);
      assert.deepEqual(await seen(otherBody, other), expected);
    }),
    { numRuns: 60, seed: 20_261 },
  );
});

test('up to where it is cut, a body with a value leaves as one without', async () => {
  await fc.assert(
    fc.asyncProperty(twins, fc.nat(), async ([[one, other], body], place) => {
      // As a guess: whole or all but one octet of it stands at the same place.
      const with_ = (guess: string): readonly Buffer[] => [
        ...body,
        Buffer.from(`${'.'.repeat(place % 5000)}${guess}`),
      ];
      const sought: LeakSought = { ...soughtFor({ held: one }), kinds: new Set(['credential']) };
      const near = `${one.slice(0, -1)}${one.endsWith('a') ? '0' : 'a'}`;
      const [guessed, missed] = [await passBody(with_(one), sought), await passBody(with_(near), sought)];
      if (one === other || missed.error !== undefined) return;
      assert.equal(guessed.error, fault);
      const before = guessed.lengths.slice(0, -1);
      assert.deepEqual(before, missed.lengths.slice(0, before.length));
    }),
    { numRuns: 60, seed: 20_262 },
  );
});

test('with borders it depends on where the body has them, and not on the secret', async () => {
  await fc.assert(
    fc.asyncProperty(twins, fc.array(fc.nat()), async ([[one, other], body], breaks) => {
      for (const at of breaks) {
        const piece = body[at % Math.max(1, body.length)];
        if (piece !== undefined) piece[at % piece.length] = 0x0a;
      }
      const seen = async (secret: string): Promise<readonly number[]> =>
        (await passBody(body, soughtFor({ held: secret }), { onLeak: () => undefined, borders: lineBorders }))
          .lengths;
      assert.deepEqual(await seen(one), await seen(other));
    }),
    { numRuns: 60, seed: 20_263 },
  );
});

const encoders = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync } as const;

async function passCoded(coding: string, pieces: readonly Buffer[]): Promise<Passed> {
  const guard = new CodedBodyGuard({
    coding,
    search: new LeakSearch(soughtFor({ held: sample.token })),
    onLeak: blocking,
    hold: () => undefined,
    onUnsearchable: (why) => new ProxyError('leak_found', why),
  });
  let error: unknown;
  const out: Buffer[] = [];
  guard.on('data', (chunk: Buffer) => out.push(chunk)).on('error', (given) => (error = given));
  const closed = new Promise((resolve) => guard.once('close', resolve));
  for (const piece of pieces)
    if (error === undefined) await new Promise((resolve) => guard.write(piece, resolve));
  if (error === undefined) guard.end();
  await closed;
  return { lengths: [], bytes: Buffer.concat(out), error };
}

for (const [coding, encode] of Object.entries(encoders)) {
  test(`a body in ${coding} goes on as it came, and one with a value ends`, async () => {
    const filler = Array.from({ length: 3000 }, (_, i) => `${i * 7919}`).join(' ');
    const clean = encode(Buffer.from(filler));
    for (const size of [1000, clean.length]) {
      const split = (bytes: Buffer): readonly Buffer[] =>
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
      const passed = await passCoded(coding, split(clean));
      assert.equal(passed.error, undefined);
      assert.deepEqual(passed.bytes, clean);
      const leaking = encode(Buffer.from(`${filler}${sample.token}${filler}`));
      assert.equal((await passCoded(coding, split(leaking))).error, fault);
    }
  });

  test(`octets behind the end of ${coding}, a broken body and one that decodes to far more are refused`, async () => {
    const encoded = encode(Buffer.from('nothing to see'));
    for (const [what, body] of [
      ['behind it', Buffer.concat([encoded, Buffer.from(sample.token)])],
      ['cut', encoded.subarray(0, -3)],
      ['broken', Buffer.concat([encoded.subarray(0, 6), Buffer.alloc(40, 0xff)])],
      ['a bomb', encode(Buffer.alloc(64 * 1024 * 1024))],
    ] as const) {
      const { error } = await passCoded(coding, [body]);
      assert.ok(error instanceof ProxyError, `${coding} ${what}: ${String(error)}`);
    }
  });
}
