import assert from 'node:assert/strict';
import { test } from 'node:test';

import { secretForms } from '../../../src/gateway/scrub/secret-forms.ts';
import { Secret } from '../../../src/protocol/secret.ts';

const formsOf = (value: string): ReadonlySet<string> => {
  const { plain, base64 } = secretForms([new Secret(value)]);
  return new Set([...plain, ...base64].map(String));
};

const value = `pa/ss w@rd+é%~!'()*:&=$,;`;

/** As these encoders write it, taken from them. */
const written: Readonly<Record<string, string>> = {
  "Python's quote": 'pa/ss%20w%40rd%2B%C3%A9%25~%21%27%28%29%2A%3A%26%3D%24%2C%3B',
  "Python's quote with nothing safe": 'pa%2Fss%20w%40rd%2B%C3%A9%25~%21%27%28%29%2A%3A%26%3D%24%2C%3B',
  "Python's quote_plus": 'pa%2Fss+w%40rd%2B%C3%A9%25~%21%27%28%29%2A%3A%26%3D%24%2C%3B',
  "Go's PathEscape": 'pa%2Fss%20w@rd+%C3%A9%25~%21%27%28%29%2A:&=$%2C%3B',
  "Go's QueryEscape": 'pa%2Fss+w%40rd%2B%C3%A9%25~%21%27%28%29%2A%3A%26%3D%24%2C%3B',
  "JavaScript's escape": 'pa/ss%20w@rd+%E9%25%7E%21%27%28%29*%3A%26%3D%24%2C%3B',
  encodeURIComponent: encodeURIComponent(value),
  encodeURI: encodeURI(value),
  URLSearchParams: new URLSearchParams({ x: value }).toString().slice(2),
};

for (const [writer, form] of Object.entries(written))
  test(`a value is known as ${writer} writes it, in digits of either case`, () => {
    const forms = formsOf(value);
    assert.ok(forms.has(form), form);
    assert.ok(forms.has(form.replaceAll(/%../g, (escape) => escape.toLowerCase())));
  });

test('escape of JavaScript is known beyond Latin-1 too', () => {
  assert.ok(formsOf('secret-€uro').has('secret-%u20ACuro'));
});

test('Base64 is known where it is percent-encoded', () => {
  const base64 = Buffer.from('value??>>>').toString('base64');
  assert.ok(formsOf('value??>>>').has(encodeURIComponent(base64.replace(/=+$/, ''))));
});

test('no form is shorter than six octets', () => {
  assert.ok([...formsOf('abcdef')].every((form) => form.length >= 6));
  assert.equal(formsOf('abc').size, 0);
});
