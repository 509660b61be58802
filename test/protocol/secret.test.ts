import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { Secret, secretMarker } from '../../src/protocol/secret.ts';

test('no printed form of a secret holds its value', () => {
  const secret = new Secret('hunter2');
  const forms = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
    Object.values(secret).join(' '),
  ];
  for (const form of forms) assert.ok(!form.includes('hunter2'), form);
  assert.equal(String(secret), secretMarker);
});

test('reveal gives the value', () => {
  assert.equal(new Secret('hunter2').reveal(), 'hunter2');
});
