import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublicSuffix } from '../../src/policy/public-suffix.ts';

test('names below registries and hosting services belong to strangers', () => {
  for (const suffix of [
    'com',
    'dev',
    'co.uk',
    'com.au',
    'github.io',
    's3.amazonaws.com',
    's3.eu-west-1.amazonaws.com',
    's3-website.us-east-1.amazonaws.com',
    'eu-west-1.amazonaws.com',
    'pages.dev',
    'blob.core.windows.net',
  ]) {
    assert.equal(isPublicSuffix(suffix), true, suffix);
  }
});

test('names below a domain that somebody owns do not', () => {
  for (const suffix of [
    'example.com',
    'acme.co.uk',
    'pkg.github.com',
    'acme.github.io',
    'bucket.s3.amazonaws.com',
    'co.example',
  ]) {
    assert.equal(isPublicSuffix(suffix), false, suffix);
  }
});
