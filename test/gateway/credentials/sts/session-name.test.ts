import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sessionNameOf } from '../../../../src/gateway/credentials/sts/session-name.ts';
import { seededBelow } from '../../../support/seeded.ts';

test('a name shows the subject in the letters of STS, and is of one issuer and subject', () => {
  assert.match(sessionNameOf('gateway|build-1'), /^build-1-[0-9a-f]{24}$/);
  assert.match(
    sessionNameOf('https://token.example.com|repo:example/one:ref:refs/heads/main'),
    /^repo-example-one-ref-refs-heads-main-[0-9a-f]{24}$/,
  );
  assert.notEqual(sessionNameOf('one|build'), sessionNameOf('two|build'));
  assert.notEqual(sessionNameOf('one|a/b'), sessionNameOf('one|a:b'));
});

test('whatever the subject is, the name is one that STS takes', () => {
  const below = seededBelow(7);
  const names = new Set<string>();
  for (let round = 0; round < 2_000; round += 1) {
    const id = Array.from({ length: below(300) }, () => String.fromCodePoint(1 + below(700))).join('');
    names.add(sessionNameOf(`${String(round)}|${id}`));
  }
  assert.equal(names.size, 2_000);
  for (const name of [...names, sessionNameOf(''), sessionNameOf('|')])
    assert.match(name, /^[A-Za-z0-9_+=,.@-]{2,64}$/);
});
