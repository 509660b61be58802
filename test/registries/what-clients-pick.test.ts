// What docs/reference/package-clients.md says that clients pick is what they should pick. `npm run test:packages` compares it with what they do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { tableOf } from './support/client-table.ts';
import { clients, expected } from './support/expected-picks.ts';
import { wrongs } from './support/told-table.ts';

const page = new URL('../../docs/reference/package-clients.md', import.meta.url);

test('the page says of each client what it should pick', () => {
  const rows = [...tableOf(readFileSync(page, 'utf8'))];
  const seen = new Set<string>();
  for (const [key, rest] of rows) {
    const [, name = '', wrong = ''] = /^(\S+) \S+, (\S+)$/.exec(key) ?? [];
    const client = clients.find((one) => one.name === name);
    const fault = wrongs.find((one) => one === wrong);
    assert.ok(client !== undefined && fault !== undefined, key);
    const picks = expected(client.registry, fault);
    assert.deepEqual(rest.split(' | ').slice(0, 2), [picks?.range, picks?.locked], key);
    seen.add(name);
  }
  // Poetry gives Python five seconds to say its version, and gives up on a machine that is busy.
  const missing = clients.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
  assert.deepEqual(missing, ['Poetry']);
  assert.ok(rows.length > 80, String(rows.length));
});
