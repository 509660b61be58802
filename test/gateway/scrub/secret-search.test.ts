import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import type { SearchTable } from '../../../src/gateway/scrub/search-table.ts';
import { SecretSearch } from '../../../src/gateway/scrub/secret-search.ts';
import { tableOf } from '../support/searched.ts';

const secret = 'tok_8c21+/aZ';

/** The table, and how often anything in it was looked at. */
function counted(table: SearchTable): { readonly table: SearchTable; readonly steps: () => number } {
  let steps = 0;
  const watched = <T extends object>(array: T): T =>
    new Proxy(array, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) steps += 1;
        return Reflect.get(target, key) as unknown;
      },
    });
  const { classes, plain, base64 } = table;
  return {
    table: {
      ...table,
      classes: watched(classes),
      plain: { ...plain, next: watched(plain.next) },
      base64: { ...base64, next: watched(base64.next) },
    },
    steps: () => steps,
  };
}

test('every octet costs the same three steps, whatever it is and whatever came before', () => {
  const near = [
    secret.slice(0, -1),
    secret.slice(0, 4),
    Buffer.from(`x${secret}`).toString('base64').slice(0, -3),
  ];
  const table = tableOf(secret);
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constantFrom(secret, ...near).map((text) => Buffer.from(text)),
          fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
        ),
        { maxLength: 20 },
      ),
      (parts) => {
        const chunk = Buffer.concat(parts);
        const { table: watched, steps } = counted(table);
        new SecretSearch(watched).run(chunk, Buffer.from(chunk), 0);
        assert.equal(steps(), 3 * chunk.length);
      },
    ),
    { numRuns: 500, seed: 12_011 },
  );
});

test('what was found is where it is, across chunks', () => {
  const search = new SecretSearch(tableOf(secret));
  const text = Buffer.from(`ab${secret}cd`);
  const whole = Buffer.from(text);
  assert.deepEqual(search.run(whole.subarray(0, 6), text, 0), []);
  const marked = search.run(whole.subarray(6), text, 6);
  assert.deepEqual(
    marked.map(({ start, end }) => [start, end]),
    [[2, 2 + secret.length]],
  );
  assert.equal(text.toString(), `ab${'*'.repeat(secret.length)}cd`);
});

test('of what is broken into lines the line ends stay', () => {
  const value = 'a value of which Base64 has a slash: ???>>>';
  const base64 = Buffer.from(value).toString('base64');
  const written = base64.replace(/^.{20}/, '$&\r\n');
  const text = Buffer.from(written);
  new SecretSearch(tableOf(value)).run(Buffer.from(written), text, 0);
  assert.match(text.toString(), /^\*{20}\r\n\*+=*$/);
});

test('of Base64 whose slashes JSON has escaped nothing stays', () => {
  const value = 'a value of which Base64 has a slash: ???>>>';
  const base64 = Buffer.from(value).toString('base64');
  assert.ok(base64.includes('/'));
  const written = base64.replaceAll('/', '\\/');
  const text = Buffer.from(written);
  new SecretSearch(tableOf(value)).run(Buffer.from(written), text, 0);
  assert.match(text.toString(), /^\*+=*$/);
});
