import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  agentResolvConf,
  isAgentResolvConf,
  originalResolvConf,
  parseResolvConf,
  searchedNames,
} from '../../../src/agent/placements/resolv-conf.ts';

const ours = (original: string, mark = 'a'): string => agentResolvConf(original, '127.64.0.1', mark);

test('what stood there comes out again character for character, and ours is never the shorter', () => {
  fc.assert(
    fc.property(fc.string(), (original) => {
      assert.equal(originalResolvConf(ours(original)), original);
      assert.ok(ours(original).length > original.length);
      assert.ok(isAgentResolvConf(ours(original)));
    }),
  );
});

test('of a text that another session has made of one of ours the first is found', () => {
  const first = 'nameserver 192.0.2.1\n';
  assert.equal(originalResolvConf(ours(ours(first), 'b')), first);
});

test('a text of somebody else is its own original, also one that begins or goes on like ours', () => {
  for (const text of ['', '# a comment\n', ours('x').split('\n')[0] ?? '', ours('x').slice(20)])
    assert.equal(originalResolvConf(text), text);
});

test('our text names one name server, whatever stood there', () => {
  const text = ours('nameserver 192.0.2.1\noptions ndots:5\nsearch internal.test');
  assert.deepEqual(parseResolvConf(text), { servers: ['127.64.0.1'], search: [], dots: 1 });
});

test('two sessions write different texts, so that neither puts back what the other has changed', () => {
  assert.notEqual(ours('x', 'a'), ours('x', 'b'));
});

test('name servers, search list and dots are read as libc reads them', () => {
  const text = `# comment
; another
domain one.test
search  two.test three.test
nameserver 192.0.2.1
nameserver\t2001:db8::1
nameserver not-an-address
options timeout:1 ndots:5
options rotate`;
  const expected = { servers: ['192.0.2.1', '2001:db8::1'], search: ['two.test', 'three.test'], dots: 5 };
  assert.deepEqual(parseResolvConf(text), expected);
  assert.deepEqual(parseResolvConf(''), { servers: ['127.0.0.1'], search: [], dots: 1 });
  assert.equal(parseResolvConf('options ndots:99').dots, 15);
});

const rows = [
  ['gateway', 1, ['gateway.a.test', 'gateway.b.test', 'gateway']],
  ['gateway.example', 1, ['gateway.example', 'gateway.example.a.test', 'gateway.example.b.test']],
  ['gateway.space', 5, ['gateway.space.a.test', 'gateway.space.b.test', 'gateway.space']],
  ['gateway.', 1, ['gateway']],
] as const;
for (const [name, dots, expected] of rows) {
  test(`with ndots:${dots} ${name} is asked for as ${expected.join(', ')}`, () => {
    assert.deepEqual(searchedNames(name, { servers: [], search: ['a.test', '.b.test.'], dots }), expected);
  });
}
