import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ResponseScrubber, scrubFields, secretForms } from '../../../src/gateway/scrub/response-scrubber.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { Secret } from '../../../src/protocol/secret.ts';

const scrubText = (text: string, forms: readonly Buffer[]): string | undefined =>
  scrubFields(new HeaderList([['x', text]]), forms).first('x');

const secret = 'ghp_topSecretValue/+123';

function scrubAll(chunks: readonly Buffer[], value = secret): Buffer {
  const scrubber = new ResponseScrubber(secretForms([new Secret(value)]));
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
      const forms = secretForms([new Secret(value)]);
      assert.equal(scrubText(`a ${written}`, forms), `a ${'*'.repeat(written.length)}`);
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

test('bytes without a possible start of the secret pass at once', () => {
  const scrubber = new ResponseScrubber(secretForms([new Secret(secret)]));
  assert.equal(scrubber.push(Buffer.from('data: event\n\n')).toString(), 'data: event\n\n');
});

test('a possible start of the secret is held back and released when it is none', () => {
  const scrubber = new ResponseScrubber(secretForms([new Secret(secret)]));
  assert.equal(scrubber.push(Buffer.from('x ghp_')).toString(), 'x ');
  assert.equal(scrubber.push(Buffer.from('other')).toString(), 'ghp_other');
});

test('a value too short to be told from chance is not searched for', () => {
  assert.deepEqual(secretForms([new Secret('abc')]).map(String), []);
});

test('a header value is scrubbed', () => {
  const text = scrubText(`Bearer ${secret}; x`, secretForms([new Secret(secret)]));
  assert.equal(text, `Bearer ${'*'.repeat(secret.length)}; x`);
});
