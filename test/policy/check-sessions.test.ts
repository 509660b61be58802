import assert from 'node:assert/strict';
import { test } from 'node:test';

import { problemsOf } from './fixture.ts';

const [a, b] = ['https://a.example.com', 'https://b.example.com'];
const warned = (text: string | readonly string[], ...issuers: readonly string[]): readonly string[] =>
  problemsOf(text, { issuers }).map((line) => /^\S+ warning: [^,;]*/.exec(line)?.[0] ?? line);

test('a rule without "for" is told where others issue tokens, once for a file', () => {
  const rules = `rules:
  - { name: mine, hosts: a.example.com, for: { sub: x } }
  - { name: one, hosts: b.example.com }
  - { name: two, hosts: c.example.com }
  - { name: no, hosts: d.example.com, deny: true }`;
  assert.deepEqual(warned(rules), []);
  assert.deepEqual(warned(rules, a), ['p:3:5: warning: there is no "for"']);
  const [line = ''] = problemsOf([rules, 'rules: [{ name: three, hosts: e.example.com }]'], { issuers: [a] });
  assert.match(line, /whoever has a token of https:\/\/a\.example\.com for .* \(and 1 more in this file\)$/);
  assert.equal(warned([rules, 'rules: [{ name: three, hosts: e.example.com }]'], a).length, 2);
});

test('"for" in the file or the rule, and iss: "*" where everybody is meant, say enough', () => {
  assert.deepEqual(warned('for: { sub: x }\nrules: [{ name: one, hosts: b.example.com }]', a), []);
  assert.deepEqual(warned('rules: [{ name: one, hosts: b.example.com, for: { iss: "*" } }]', a, b), []);
});

test('of several issuers the rule names the one whose claims it believes', () => {
  const rule = (claims: string): string => `rules: [{ name: one, hosts: b.example.com, for: { ${claims} } }]`;
  assert.deepEqual(warned(rule('repository: acme/shop'), a, b), [
    'p:1:9: warning: "for" does not name an issuer',
  ]);
  assert.deepEqual(warned(rule('repository: acme/shop'), a), []);
  assert.deepEqual(warned(rule(`iss: "${a}", repository: acme/shop`), a, b), []);
  assert.deepEqual(warned(`for: { iss: "${a}" }\n${rule('repository: acme/shop')}`, a, b), [], 'in the file');
});

test('a file that observes lets everybody out who has a session', () => {
  assert.deepEqual(warned('mode: observe\nrules: []', a), ['p:1:1: warning: there is no "for"']);
  assert.deepEqual(warned('mode: observe\nfor: { sub: x }\nrules: []', a), []);
});
