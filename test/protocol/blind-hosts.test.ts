import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlindHosts, blindHostsText } from '../../src/protocol/blind-hosts.ts';

const covered = (text: string, authorities: readonly string[]): readonly string[] => {
  const hosts = new BlindHosts(text);
  return authorities.filter((authority) => hosts.covers(authority));
};

test('patterns cover what rules of the policy would', () => {
  const text = blindHostsText(
    'v1',
    ['ssh.test:22', '*.pinned.test:443', '[2001:db8::1]:5432', '*:9000'],
    8192,
  );
  assert.equal(new BlindHosts(text).version, 'v1');
  assert.deepEqual(
    covered(text, [
      'ssh.test:22',
      'ssh.test:443',
      'a.pinned.test:443',
      'a.b.pinned.test:443',
      'pinned.test:443',
      'evilpinned.test:443',
      'a.pinned.test:8443',
      '[2001:db8::1]:5432',
      '[2001:db8::1]:443',
      'any.test:9000',
      '127.0.0.1:9000',
    ]),
    [
      'ssh.test:22',
      'a.pinned.test:443',
      'a.b.pinned.test:443',
      '[2001:db8::1]:5432',
      'any.test:9000',
      '127.0.0.1:9000',
    ],
  );
});

test('without patterns nothing is covered', () => {
  assert.deepEqual(covered(blindHostsText('v1', [], 8192), ['a.test:443']), []);
});

test('a list that does not fit, and a line that is no pattern, cover everything', () => {
  const many = Array.from({ length: 1000 }, (_, i) => `host-${i}.test:443`);
  const text = blindHostsText('v1', many, 8192);
  assert.equal(text, 'v1\n*');
  for (const one of [text, 'v1\na.test:443\n{}', 'v1\n'])
    assert.deepEqual(covered(one, ['other.test:443']), ['other.test:443'], one.slice(0, 40));
});
