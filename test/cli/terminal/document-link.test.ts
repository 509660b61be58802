// Where the link of an error leads.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { errorDocument } from '../../../src/cli/terminal/document-link.ts';

test('it leads to the section on the site that the environment names', () => {
  for (const [site, href] of [
    ['https://docs.test', 'https://docs.test/reference/errors.html#token_reused'],
    ['https://docs.test/v1/?a=b#c', 'https://docs.test/v1/reference/errors.html#token_reused'],
    ['http://127.0.0.1:8000/', 'http://127.0.0.1:8000/reference/errors.html#token_reused'],
    ['javascript:alert(1)', undefined],
    ['https://ada:secret@docs.test/', undefined],
    ['docs', undefined],
  ] as const)
    assert.equal(errorDocument('token_reused', { UPSTREAMPROXY_DOCS: site })?.href, href, site);
});

test('without one it leads to the file of the package on this machine, which has the section', () => {
  const url = errorDocument('token_reused', { UPSTREAMPROXY_DOCS: '' });
  assert.ok(url !== undefined);
  assert.equal(url.protocol, 'file:');
  assert.equal(url.host, hostname().toLowerCase());
  url.host = '';
  const file = fileURLToPath(url);
  assert.ok(existsSync(file));
  assert.match(readFileSync(file, 'utf8'), /^### `token_reused`$/m);
});
