import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Borders } from '../../../src/gateway/scrub/borders.ts';
import { lineBorders } from '../../../src/gateway/scrub/line-borders.ts';
import { ResponseScrubber, windowBytes } from '../../../src/gateway/scrub/response-scrubber.ts';
import type { SearchTable } from '../../../src/gateway/scrub/search-table.ts';
import { scrubFields } from '../../../src/gateway/scrub/scrub-fields.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { searchedFor, tableOf } from '../support/searched.ts';

const scrubText = (text: string, value: string): string | undefined =>
  scrubFields(new HeaderList([['x', text]]), [tableOf(value)]).first('x');

const secret = 'ghp_topSecretValue/+123';

function scrubAll(chunks: readonly Buffer[], value = secret): Buffer {
  const scrubber = new ResponseScrubber(searchedFor(value));
  const out = chunks.map((chunk) => scrubber.push(chunk));
  return Buffer.concat([...out, scrubber.end()]);
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return points.slice(1).map((point, index) => bytes.subarray(points[index], point));
}

test('a secret is replaced by a marker of its length wherever chunks are cut', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.array(fc.nat(), { maxLength: 12 }), (before, after, cuts) => {
      const body = Buffer.from(`${before}${secret}${after}`);
      const out = scrubAll(split(body, cuts));
      assert.equal(out.length, body.length);
      assert.equal(out.includes(secret), false);
      const expected = Buffer.from(`${before}${'*'.repeat(secret.length)}${after}`);
      assert.deepEqual(out, expected);
    }),
    { numRuns: 500 },
  );
});

test('the Base64 and the percent-encoded form of a secret are replaced too', () => {
  const body = `${Buffer.from(secret).toString('base64')} ${encodeURIComponent(secret)}`;
  const out = scrubAll([Buffer.from(body)]).toString();
  assert.match(out, /^\*+=* \*+$/);
});

test('a secret inside of a longer Base64 text is replaced, however it lies', () => {
  for (const before of ['', 'u', 'u:', '{"token":"'])
    for (const coding of ['base64', 'base64url'] as const) {
      const body = Buffer.from(`${before}${secret}"}zz`).toString(coding);
      const out = String(scrubAll([Buffer.from(body)]));
      assert.equal(out.length, body.length);
      // Characters that belong to neighbours too may stand: six bits at each end.
      assert.match(out, new RegExp(`\\*{${Math.floor((secret.length * 8) / 6) - 1},}`), out);
    }
});

const html = (text: string, names: Readonly<Record<string, string>>): string =>
  text.replaceAll(/./gs, (char) => names[char] ?? char);
const jsonText = (text: string): string => JSON.stringify(text).slice(1, -1);
const unicode = (text: string, characters: RegExp): string =>
  text.replaceAll(characters, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** How servers write text into what they send: a password has what they escape, and so has a token in Base64. */
const writers: Readonly<Record<string, (text: string) => string>> = {
  JSON: jsonText,
  'JSON of PHP': (text) => jsonText(text).replaceAll('/', '\\/'),
  'JSON of Go': (text) => unicode(jsonText(text), /[&<>]/g),
  'JSON of Gson': (text) => unicode(jsonText(text), /[&<>=']/g),
  'JSON of .NET': (text) =>
    text
      .replaceAll('\\', '\\\\')
      .replaceAll(/["&'+<>`]/g, (char) => `\\u00${char.charCodeAt(0).toString(16).toUpperCase()}`),
  'a query': encodeURIComponent,
  'a query in lower case': (text) =>
    encodeURIComponent(text).replaceAll(/%../g, (escape) => escape.toLowerCase()),
  'a form': (text) => new URLSearchParams({ x: text }).toString().slice(2),
  'RFC 3986 to the letter': (text) =>
    encodeURIComponent(text).replaceAll(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  'a path': encodeURI,
  'HTML of PHP': (text) =>
    html(text, { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#039;' }),
  'HTML of Python': (text) =>
    html(text, { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' }),
  'HTML of Express': (text) =>
    html(text, { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }),
  'HTML of Go': (text) =>
    html(text, { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;', '+': '&#43;' }),
  'HTML of .NET': (text) =>
    html(text, {
      '&': '&amp;',
      '<': '&lt;',
      '>': '&gt;',
      '"': '&quot;',
      "'": '&#x27;',
      '+': '&#x2B;',
      '`': '&#x60;',
    }),
  'HTML of Mustache': (text) =>
    html(text, {
      '&': '&amp;',
      '<': '&lt;',
      '>': '&gt;',
      '"': '&quot;',
      "'": '&#39;',
      '/': '&#x2F;',
      '`': '&#x60;',
      '=': '&#x3D;',
    }),
};

for (const [writer, write] of Object.entries(writers)) {
  test(`a secret that comes back as ${writer} writes it is replaced, in bodies and in fields`, () => {
    for (const value of [`p&ss"w<o>r'd(/+=) \\x\`!`, 'c2VjcmV0L3NlY3JldCtzZWNyZXQ/Zg+/aa==']) {
      const written = write(value);
      for (const cut of [1, 5, written.length - 1]) {
        const out = scrubAll(split(Buffer.from(`a ${written} b`), [cut]), value).toString();
        assert.equal(out, `a ${'*'.repeat(written.length)} b`, written);
      }
      assert.equal(scrubText(`a ${written}`, value), `a ${'*'.repeat(written.length)}`);
    }
  });
}

test('letters beyond ASCII are found where JSON escapes them', () => {
  for (const written of ['p\\u00e4ssw\\u00f6rt \\u20ac1', 'p\\u00E4ssw\\u00F6rt \\u20AC1', 'pässwört €1']) {
    const bytes = Buffer.from(`a ${written} b`);
    const out = scrubAll([bytes], 'pässwört €1').toString();
    assert.match(out, /^a \*+ b$/, written);
  }
});

/** The lengths of what leaves, piece by piece and at the end. */
function lengths(
  pieces: readonly Buffer[],
  tables: readonly SearchTable[],
  borders?: Borders,
): readonly number[] {
  const scrubber = new ResponseScrubber({ tables }, borders === undefined ? {} : { borders });
  return [...pieces.map((piece) => scrubber.push(piece).length), scrubber.end().length];
}

/** Of Base64, so that all forms of as many letters have the same lengths. */
const letter = fc.constantFrom(...'abAB01-_');
const secretOf = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: letter, minLength: length, maxLength: length });

/** Two secrets whose forms have the same lengths, and two bodies in pieces of the same lengths that are made of parts of either. */
const twins = fc
  .tuple(fc.integer({ min: 8, max: 90 }), fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 12 }))
  .chain(([length, sizes]) =>
    fc.tuple(secretOf(length), secretOf(length)).chain(([one, other]) => {
      const material = [one, other].flatMap((secret) =>
        [
          secret,
          Buffer.from(secret).toString('base64'),
          Buffer.from(`x${secret}`).toString('base64'),
        ].flatMap((form) => [form, form.slice(0, -1), form.slice(0, 7), form.slice(3)]),
      );
      const body = fc
        .array(fc.oneof(fc.constantFrom(...material), fc.string({ unit: letter, maxLength: 9 })), {
          maxLength: 60,
        })
        .map((parts) => {
          const text = Buffer.from(
            parts.join('').padEnd(
              sizes.reduce((sum, size) => sum + size, 0),
              'a',
            ),
          );
          let at = 0;
          return sizes.map((size) => text.subarray(at, (at += size)));
        });
      return fc.tuple(fc.constant([one, other] as const), body, body);
    }),
  );

test('what leaves when depends on lengths alone, whatever the secret and the text are', () => {
  fc.assert(
    fc.property(twins, ([[one, other], body, otherBody]) => {
      const expected = lengths(body, [tableOf(one)]);
      assert.deepEqual(lengths(body, [tableOf(other)]), expected);
      assert.deepEqual(lengths(otherBody, [tableOf(one)]), expected);
      assert.deepEqual(lengths(otherBody, [tableOf(other)]), expected);
    }),
    { numRuns: 300, seed: 20_261 },
  );
});

test('with borders it depends on where the text has them, and not on the secret', () => {
  fc.assert(
    fc.property(twins, fc.array(fc.nat()), ([[one, other], body], breaks) => {
      for (const at of breaks) {
        const piece = body[at % Math.max(1, body.length)];
        if (piece !== undefined) piece[at % piece.length] = 0x0a;
      }
      assert.deepEqual(
        lengths(body, [tableOf(one)], lineBorders),
        lengths(body, [tableOf(other)], lineBorders),
      );
    }),
    { numRuns: 300, seed: 20_262 },
  );
});

test('held back is the longest form of all credentials less one octet, rounded up to 64', () => {
  const short = tableOf('s'.repeat(20));
  const long = tableOf('l'.repeat(200));
  assert.equal(windowBytes([short]), 64);
  // 268 characters of Base64, and five line ends of four octets.
  assert.equal(long.formBytesMax, 267 + 5 * 4);
  assert.equal(windowBytes([short, long]), 320);
  assert.deepEqual(lengths([Buffer.alloc(64), Buffer.alloc(1), Buffer.alloc(100)], [short]), [0, 1, 100, 64]);
});

test('a line end lets go all that is before it, and a line end of the text alone', () => {
  const scrubber = new ResponseScrubber(searchedFor(secret), { borders: lineBorders });
  assert.equal(scrubber.push(Buffer.from('{"a":1}\n{"b"')).toString(), '{"a":1}\n');
  assert.equal(
    scrubber.push(Buffer.from(`:"${secret}"}\n`)).toString(),
    `{"b":"${'*'.repeat(secret.length)}"}\n`,
  );
  assert.equal(scrubber.end().length, 0);
});

test('a value that is renewed is searched for from then on, in what is held too', () => {
  const searched = { tables: [tableOf('first-value-of-it')] };
  const scrubber = new ResponseScrubber(searched);
  const before = scrubber.push(Buffer.from('first-value-of-it second-va'));
  searched.tables = [...searched.tables, tableOf('second-value-of-it')];
  const out = Buffer.concat([
    before,
    scrubber.push(Buffer.from('lue-of-it first-value-of-it')),
    scrubber.end(),
  ]);
  assert.equal(out.toString(), `${'*'.repeat(17)} ${'*'.repeat(18)} ${'*'.repeat(17)}`);
  assert.equal(scrubber.replaced, 3);
});

test('two credentials that overlap in the text are both replaced', () => {
  for (const values of [
    ['abcdef-123456', '123456-uvwxyz'],
    ['123456-uvwxyz', 'abcdef-123456'],
  ]) {
    const scrubber = new ResponseScrubber(searchedFor(...values));
    const out = Buffer.concat([scrubber.push(Buffer.from('<abcdef-123456-uvwxyz>')), scrubber.end()]);
    assert.equal(out.toString(), `<${'*'.repeat(20)}>`);
  }
});

test('what is held goes on when it has to, and the rest of a secret is still found', () => {
  const scrubber = new ResponseScrubber(searchedFor(secret));
  assert.equal(scrubber.push(Buffer.from(secret.slice(0, 10))).length, 0);
  assert.equal(scrubber.letGo().toString(), secret.slice(0, 10));
  assert.equal(scrubber.push(Buffer.from(secret.slice(10))).length, 0);
  assert.equal(scrubber.end().toString(), '*'.repeat(secret.length - 10));
});

test('Base64 that is broken into lines is found, in text and in JSON', () => {
  for (const before of ['', 'u', 'some text that comes before it, of any length: '])
    for (const width of [60, 64, 76])
      for (const [lineEnd, borders] of [
        ['\n', lineBorders],
        ['\r\n', lineBorders],
        ['\\n', undefined],
        ['\\r\\n', undefined],
      ] as const) {
        const value = 'tok_0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ';
        const whole = Buffer.from(`${before}${value} and more of it behind`).toString('base64');
        const written = whole.replaceAll(new RegExp(`.{${width}}`, 'g'), `$&${lineEnd}`);
        for (const cut of [1, 30, 61, 77]) {
          const scrubber = new ResponseScrubber(searchedFor(value), borders === undefined ? {} : { borders });
          const out = Buffer.concat([
            ...split(Buffer.from(written), [cut, cut + 40]).map((piece) => scrubber.push(piece)),
            scrubber.end(),
          ]).toString();
          assert.equal(out.length, written.length);
          const plain = out.replaceAll(lineEnd, '');
          const marks = plain.match(/\*+/)?.[0].length ?? 0;
          assert.ok(marks >= Math.floor((value.length * 8) / 6) - 1, `${before}/${width}: ${out}`);
        }
      }
});

test('a value of several lines is found by its lines, whatever lets them go', () => {
  const lines = ['first line of sixteen and more', 'second line of sixteen and more', 'short'];
  const scrubber = new ResponseScrubber(searchedFor(lines.join('\n')), { borders: lineBorders });
  const out = lines.map((line) => scrubber.push(Buffer.from(`${line}\n`)).toString());
  assert.deepEqual(out, [`${'*'.repeat(30)}\n`, `${'*'.repeat(31)}\n`, '*****\n']);
});

test('what is decoded leaves in pieces of one size', () => {
  const scrubber = new ResponseScrubber(searchedFor(secret), { pieceBytes: 100 });
  const sizes = [30, 133, 1, 64, 400].map((size) => scrubber.push(Buffer.alloc(size)).length);
  assert.deepEqual(sizes, [0, 0, 100, 0, 400]);
});

test('a value too short to be told from chance is not searched for', () => {
  assert.equal(tableOf('abc').formBytesMax, 0);
});

test('a header value is scrubbed', () => {
  const text = scrubText(`Bearer ${secret}; x`, secret);
  assert.equal(text, `Bearer ${'*'.repeat(secret.length)}; x`);
});
