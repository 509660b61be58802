import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { buildSearchTable } from '../../../src/gateway/scrub/search-table.ts';
import { secretForms } from '../../../src/gateway/scrub/secret-forms.ts';
import { SecretSearch } from '../../../src/gateway/scrub/secret-search.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { tableOf } from '../support/searched.ts';

test('the table finds what a search for each form by itself finds', () => {
  const letters = fc.string({
    unit: fc.constantFrom('a', 'b', 'A', '\\', '\n', 'n'),
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(letters, { minLength: 1, maxLength: 6 }),
      fc.array(letters),
      (forms, parts) => {
        const table = buildSearchTable(
          { plain: forms.map((form) => Buffer.from(form)), base64: [] },
          1_000_000,
        );
        assert.ok(table);
        const body = parts.join('');
        const expected = [...body];
        for (const form of forms)
          for (let at = body.indexOf(form); at !== -1; at = body.indexOf(form, at + 1))
            expected.fill('*', at, at + form.length);
        const text = Buffer.from(body);
        new SecretSearch(table).run(Buffer.from(body), text, 0);
        assert.equal(text.toString(), expected.join(''));
      },
    ),
    { numRuns: 1_000, seed: 12_012 },
  );
});

test('a table that would be larger than allowed is not built', () => {
  const forms = secretForms([new Secret('x'.repeat(4_000))]);
  assert.equal(buildSearchTable(forms, 100_000), undefined);
  const built = tableOf('x'.repeat(4_000));
  assert.ok(built.bytes > 100_000);
});

test('values of the same kind and length have tables of the same size', () => {
  const tokens = ['ghp_abcdefghij0123456789', 'ghp_9876543210jihgfedcba'];
  assert.equal(new Set(tokens.map((token) => tableOf(token).formBytesMax)).size, 1);
});
