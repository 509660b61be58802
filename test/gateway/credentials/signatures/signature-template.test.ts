import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import {
  parseSignatureTemplate,
  placedTextProblem,
  signedTextProblem,
} from '../../../../src/gateway/credentials/signatures/signature-template.ts';
import { sortedQuery } from '../../../../src/gateway/credentials/signatures/sorted-query.ts';

const strictly = { isAmbiguityAllowed: false };

test('a template is text with parts, and two braces are one', () => {
  assert.deepEqual(
    parseSignatureTemplate('v0:{timestamp}:{body:sha512:base64}{{x}}\n{header:X-Key}{query:sorted}'),
    [
      { kind: 'text', text: 'v0:' },
      { kind: 'timestamp', form: 's' },
      { kind: 'text', text: ':' },
      { kind: 'body-hash', hash: 'sha512', encoding: 'base64' },
      { kind: 'text', text: '{x}\n' },
      { kind: 'field', name: 'x-key' },
      { kind: 'sorted-query' },
    ],
  );
});

describe('what is not exactly a template is refused', () => {
  for (const template of [
    '{',
    '}',
    'a}b',
    '{}',
    '{ body}',
    '{Body}',
    '{body:}',
    '{body:sha256:}',
    '{body:sha256:hex:more}',
    '{body:SHA256}',
    '{timestamp:}',
    '{timestamp:s:s}',
    '{timestamp:days}',
    '{header:}',
    '{header:a:b}',
    '{header:a b}',
    '{header:a_b}',
    '{query:}',
    '{constructor}',
    '{__proto__}',
    '{{body}',
    'x'.repeat(2049),
    '{body}'.repeat(65),
  ])
    test(template.slice(0, 40), () => {
      assert.throws(() => parseSignatureTemplate(template), /write|shorten/);
    });
});

describe('a text that two requests can have is refused, unless the configuration says otherwise', () => {
  const rows: readonly (readonly [template: string, isAmbiguous: boolean])[] = [
    ['v0:{timestamp}:{body}', false],
    ['{timestamp}.{body}', false],
    ['{body}', false],
    ['{timestamp}{method}{path}\n{body}', false],
    ['{method}\n{host}\n{path}\n{query}\n{body:sha256}', false],
    ['{method}{target}{timestamp}', false],
    ['{host}{path}', false],
    ['{body}{nonce}', false],
    ['{timestamp}{method}{target}{body}', true],
    ['{body}.{timestamp}.{header:x-key}', true],
    ['{path}:{query}', true],
    ['{path}{query}', true],
    ['{header:a} {header:b}', true],
    ['{host}:{header:b}', true],
    ['{query}{method}', true],
  ];
  for (const [template, isAmbiguous] of rows)
    test(template.replaceAll('\n', '⏎'), () => {
      const parts = parseSignatureTemplate(template);
      const problem = signedTextProblem(parts, strictly);
      if (isAmbiguous) assert.match(problem ?? '', /two requests can give the same text/);
      else assert.equal(problem, undefined);
      assert.equal(signedTextProblem(parts, { isAmbiguityAllowed: true }), undefined);
    });

  test('generated: where it is taken, other requests have other texts', () => {
    const kinds = ['method', 'path', 'query', 'host', 'header:a', 'body', 'timestamp'] as const;
    const alphabet: Readonly<Record<(typeof kinds)[number], fc.Arbitrary<string>>> = {
      method: fc.stringMatching(/^[AB]{1,3}$/),
      path: fc.stringMatching(/^\/[/:AB.]{0,3}$/),
      query: fc.stringMatching(/^[A=:.]{0,3}$/),
      host: fc.stringMatching(/^[a.:]{1,3}$/),
      'header:a': fc.stringMatching(/^[A :/]{0,3}$/),
      body: fc.stringMatching(/^[A:\n/]{0,3}$/),
      timestamp: fc.constantFrom('1000000000', '1111111111'),
    };
    const separator = fc.constantFrom('', ':', '\n', '/', ' ', '.');
    let taken = 0;
    const template = fc.array(fc.tuple(fc.constantFrom(...kinds), separator), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        template.chain((all) => {
          const one = fc.tuple(...all.map(([kind]) => alphabet[kind]));
          return fc.tuple(fc.constant(all), one, one);
        }),
        ([all, first, second]) => {
          const text = all.map(([kind, between]) => `{${kind}}${between}`).join('');
          if (signedTextProblem(parseSignatureTemplate(text), strictly) !== undefined) return;
          taken += 1;
          // One word twice has one value, which this need not have: more texts, not fewer.
          const filled = (values: readonly string[]): string =>
            all.map(([, between], at) => `${values[at] ?? ''}${between}`).join('');
          if (JSON.stringify(first) !== JSON.stringify(second))
            assert.notEqual(filled(first), filled(second), text);
        },
      ),
      { seed: 22, numRuns: 4000 },
    );
    assert.ok(taken > 500, String(taken));
  });
});

test('a text that no request can change is refused, and so is one with the signature in it', () => {
  assert.match(
    signedTextProblem(parseSignatureTemplate('a{timestamp}{nonce}'), strictly) ?? '',
    /every request/,
  );
  assert.match(
    signedTextProblem(parseSignatureTemplate('{body}{signature}'), strictly) ?? '',
    /is what is made/,
  );
  assert.match(signedTextProblem(parseSignatureTemplate('ä{body}'), strictly) ?? '', /ASCII/);
});

test('nothing that the workload chooses stands in a field or a parameter', () => {
  for (const word of ['method', 'path', 'query', 'target', 'host', 'body', 'header:x', 'query:sorted'])
    assert.match(placedTextProblem(parseSignatureTemplate(`a{${word}}`)) ?? '', /cannot stand there/, word);
  for (const text of [' {signature}', '{signature} ', 'a\n{signature}', 'ä'])
    assert.notEqual(placedTextProblem(parseSignatureTemplate(text)), undefined, text);
  assert.equal(
    placedTextProblem(parseSignatureTemplate('t={timestamp},n={nonce},v1={signature}')),
    undefined,
  );
});

test('a query is sorted where every server has it in that order', () => {
  assert.equal(sortedQuery(''), '');
  assert.equal(sortedQuery('?'), '');
  assert.equal(sortedQuery('?symbol=A&amount=1%2F2&time='), 'amount=1%2F2&symbol=A&time=');
  for (const query of [
    '?a',
    '?a=1&&b=2',
    '?a=1&a=2',
    '?a=1&A=2',
    '?a=1;b=2',
    '?a=x+y',
    '?a=%2f',
    '?a=%61',
    '?a=%7E',
    '?a=b=c',
    '?%C3%A4=1&b=2',
    '?a=%zz',
    '?b=1&C=2',
    '?a=1&a1=2',
    "?a='",
    '?=1',
  ])
    assert.throws(() => sortedQuery(query), { code: 'signature_refused' }, query);
});
