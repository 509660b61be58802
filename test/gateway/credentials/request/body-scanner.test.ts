import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';

import { ScanTransform, createScanner } from '../../../../src/gateway/credentials/request/body-scanner.ts';
import type { BodyForm } from '../../../../src/gateway/credentials/request/body-scanner.ts';

const placeholder = 'upstreamproxy-placeholder-it';
const secret = 's3"\\/+& é';
const inJson = JSON.stringify(secret);
const inForm = encodeURIComponent(secret);

async function scanned(form: BodyForm, chunks: readonly Buffer[]): Promise<string> {
  const scanner = createScanner(form, { placeholder, secret });
  return (await buffer(Readable.from(chunks).pipe(new ScanTransform(scanner)))).toString();
}

/** Every way to cut it in two, and one byte at a time. */
async function assertScans(form: BodyForm, given: string, expected: string): Promise<void> {
  const bytes = Buffer.from(given);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const halves = [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0);
    assert.equal(await scanned(form, halves), expected, `cut at ${cut}: ${given}`);
  }
  const single = [...bytes].map((byte) => Buffer.from([byte]));
  assert.equal(await scanned(form, single), expected, given);
}

const replaced: readonly (readonly [BodyForm, string, string])[] = [
  ['json', `"${placeholder}"`, inJson],
  ['json', `{"key":"${placeholder}","n":1}`, `{"key":${inJson},"n":1}`],
  ['json', `["${placeholder}" , "${placeholder}"\n]`, `[${inJson} , ${inJson}\n]`],
  ['json', `{"\\"":"\\\\","a":{"b":["${placeholder}"]}}`, `{"\\"":"\\\\","a":{"b":[${inJson}]}}`],
  ['json', `{"a":"${placeholder}"}\n{"a":"${placeholder}"}\n`, `{"a":${inJson}}\n{"a":${inJson}}\n`],
  ['form', `key=${placeholder}`, `key=${inForm}`],
  ['form', `a=b&key=${placeholder}&c=%20`, `a=b&key=${inForm}&c=%20`],
  ['form', `key=${placeholder.replaceAll('-', '%2D')}&x`, `key=${inForm}&x`],
  ['form', `=${placeholder}&&a`, `=${inForm}&&a`],
  ['text', placeholder, secret],
  ['text', ` ${placeholder}\r\n`, ` ${secret}\r\n`],
];
for (const [form, given, expected] of replaced)
  test(`${form}: ${JSON.stringify(given)} is replaced wherever it is cut`, () =>
    assertScans(form, given, expected));

const mentions: readonly (readonly [BodyForm, string])[] = [
  ['json', `{"note":"my token is ${placeholder}"}`],
  ['json', `{"note":"${placeholder}x"}`],
  ['json', `{"note":"\\"${placeholder}"}`],
  ['json', `{"note":"${placeholder}\\"quoted\\""}`],
  ['json', `{"note":"say \\"${placeholder}\\" to it"}`],
  ['json', `{"${placeholder}":1,"${placeholder}" \n:2}`],
  ['json', `"${placeholder}`],
  ['json', `"${placeholder}"${' '.repeat(1100)}:`],
  ['json', '"\\'],
  ['json', ''],
  ['form', `q=about+${placeholder}`],
  ['form', `${placeholder}=1&${placeholder}`],
  ['form', `a=${placeholder}=`],
  ['form', `a=x=${placeholder}`],
  ['form', `a=${'%41'.repeat(100)}&b=%`],
  ['text', `my token is ${placeholder}`],
  ['text', `${placeholder} ${placeholder}`],
  ['text', `${placeholder}${' '.repeat(70)}`],
  ['text', ''],
];
for (const [form, given] of mentions)
  test(`${form}: ${JSON.stringify(given.slice(0, 60))} passes as it is`, () =>
    assertScans(form, given, given));

test('no body makes it hold back more than one match', () => {
  const floods: readonly (readonly [BodyForm, string, number])[] = [
    ['json', `"${placeholder}"${' '.repeat(5_000)}`, placeholder.length + 2 + 1024],
    ['json', `"${'\\\\'.repeat(5_000)}`, 1],
    ['json', `"${placeholder.slice(0, -1)}${'x'.repeat(5_000)}`, placeholder.length + 1],
    ['form', `a=${'%'.repeat(5_000)}`, placeholder.length * 3],
    ['form', 'a'.repeat(5_000), 0],
    ['text', ' '.repeat(5_000), placeholder.length + 64],
  ];
  for (const [form, body, most] of floods) {
    const scanner = createScanner(form, { placeholder, secret });
    let waiting = Buffer.alloc(0);
    let longest = 0;
    for (const byte of Buffer.from(body)) {
      const buffered = Buffer.concat([waiting, Buffer.from([byte])]);
      waiting = buffered.subarray(buffered.length - scanner.scan(buffered, false).waiting);
      longest = Math.max(longest, waiting.length);
    }
    assert.ok(longest <= most, `${form}: ${longest} of ${body.slice(0, 40)}`);
  }
});

test('a document of JSON means the same with the secret in the place of each value, however it is cut', async () => {
  const leaf = fc.oneof(
    fc.constant(placeholder),
    fc.constantFrom(`x${placeholder}`, `"${placeholder}"`, `${placeholder}\\`, '\\', '"', ''),
    fc.integer(),
    fc.string(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('tree')),
      fc.dictionary(fc.string(), tie('tree')),
    ),
  }));
  const substitute = (value: unknown): unknown => {
    if (value === placeholder) return secret;
    if (Array.isArray(value)) return value.map(substitute);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, substitute(one)]));
  };
  const cuts = fc.array(fc.nat(40), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(tree, cuts, fc.nat(2), async (value, sizes, spaces) => {
      const bytes = Buffer.from(JSON.stringify(value, null, spaces));
      const chunks: Buffer[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = (sizes[turn % sizes.length] ?? 0) + 1;
        chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      const expected = JSON.stringify(substitute(value), null, spaces);
      assert.equal(await scanned('json', chunks), expected);
    }),
    { numRuns: 200 },
  );
});
