import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isPublicSuffix } from '../../src/http/public-suffix.ts';

test('what registries sell below is a public suffix in either section', () => {
  for (const name of [
    'com',
    'co.uk',
    'com.au',
    'ac.jp',
    'gouv.fr',
    'kawasaki.jp',
    'foo.ck',
    'xn--p1ai',
    'k12.ca.us',
  ]) {
    assert.equal(isPublicSuffix(name, 'registries'), true, name);
    assert.equal(isPublicSuffix(name, 'all'), true, name);
  }
});

test('what companies give to their customers counts in the whole list only', () => {
  for (const name of [
    'github.io',
    'cloudfront.net',
    's3.eu-west-1.amazonaws.com',
    'pages.dev',
    'herokuapp.com',
  ]) {
    assert.equal(isPublicSuffix(name, 'registries'), false, name);
    assert.equal(isPublicSuffix(name, 'all'), true, name);
  }
});

test('names that somebody owns are none, and exceptions of the list are none', () => {
  for (const name of [
    'example.com',
    'acme.co.uk',
    'acme.github.io',
    'www.ck',
    'city.kawasaki.jp',
    'corp.internal',
  ])
    assert.equal(isPublicSuffix(name, 'all'), false, name);
});

test('a name without a dot always is, listed or not', () => {
  assert.equal(isPublicSuffix('internal', 'registries'), true);
  assert.equal(isPublicSuffix('no-such-domain', 'all'), true);
});
