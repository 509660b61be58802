import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeakValues } from '../../../src/gateway/leaks/leak-values.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { sample } from '../support/leaks.ts';

test('a table that is too large is not made again until a new value is known', () => {
  let made = 0;
  const values = new LeakValues([], {
    get leakTableBytesMax() {
      made += 1;
      return 1000;
    },
  });
  const owner = { kind: 'credential', name: 'deploy' } as const;
  const refused = (): void =>
    assert.throws(
      () => values.table,
      (error) => error instanceof ProxyError && error.code === 'credential_unavailable',
    );
  values.note(owner, [new Secret(sample.token)]);
  refused();
  refused();
  values.note(owner, [new Secret(sample.token)]);
  refused();
  assert.equal(made, 1);
  values.note(owner, [new Secret(sample.other)]);
  refused();
  assert.equal(made, 2);
});
