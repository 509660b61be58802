// `upstreamproxy catalog`: what it says to a person and to a program, and the entry of docs/reference/catalog.md.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import { partKeys } from '../../../src/policy/catalog/entry-schema.ts';
import { catalogEntrySchema } from '../../../src/policy/policy-schema.ts';
import { keysOf } from '../../policy/schema-keys.ts';
import { runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const page = readFileSync(new URL('../../../docs/reference/catalog.md', import.meta.url), 'utf8');

const command = (...args: readonly string[]) => runShared(args);

test('catalog list and catalog show have what there is, for people and for programs', async () => {
  const listed = await command('catalog', 'list');
  assert.match(listed.stdout, /^NAME +SERVICE +ACCESS +CHECKED +HOSTS\n/);
  assert.match(listed.stdout, /^github +GitHub /m);
  const lines = (await command('catalog', 'list', '--json')).stdout.trim().split('\n');
  const rows = lines.map((line) => JSON.parse(line) as { readonly name: string });
  assert.ok(rows.some(({ name }) => name === 'github'));
  const shown = (await command('catalog', 'show', 'github')).stdout;
  assert.match(shown, /^GitHub \(catalog\/github, version \d+, looked at on \d{4}-\d\d-\d\d\)\n/);
  assert.match(shown, /git-push: github\.com git \{"operations":"push"\} \(credential git\)/);
  assert.match(shown, /denied unless a rule names "reveals":\n {2}api-logs: /);
  assert.match(shown, /credentials:\n {4}github-api:\n {6}kind: bearer\n/);
  assert.equal(
    (JSON.parse((await command('catalog', 'show', 'github', '--json')).stdout) as { title: string }).title,
    'GitHub',
  );
  const unknown = await command('catalog', 'show', 'githb');
  assert.equal(unknown.code, 64);
  assert.match(unknown.stderr, /there is no githb in the catalogue; did you mean github\?/);
});

test('the rules that an entry stands for are a policy', async () => {
  const { stdout } = await command('catalog', 'show', 'github', '--rules');
  const parsed = parsePolicy([{ file: 'copied', text: stdout }]);
  assert.ok('policy' in parsed, JSON.stringify(parsed));
  assert.ok(parsed.policy.rules.some(({ reference }) => reference.name === 'github-api-read'));
});

test('catalog test plays the samples of the page, and finds one that is decided otherwise', () =>
  withTemporaryDirectory(async (folder) => {
    const written = [...page.matchAll(/```yaml\n([^`]*)```/g)].map(([, text = '']) => text);
    const own = written.find((text) => text.includes('title: Our tracker')) ?? assert.fail('no example');
    const file = join(folder, 'catalog.yaml');
    writeFileSync(file, own);
    const good = await command('catalog', 'test', 'tracker', '--policy', file);
    assert.equal(good.stdout, '3 samples of 1 services, 0 decided otherwise\n', good.stderr);
    assert.equal(good.code, 0);
    writeFileSync(file, own.replace('needs: reveals', 'needs: read'));
    const wrong = await command('catalog', 'test', '--policy', file);
    assert.match(
      wrong.stdout,
      /^tracker: GET https:\/\/tracker\.example\.com\/v1\/keys\/1 \(needs read\): denied with read, by sample\/keys\n/,
    );
    assert.equal(wrong.code, 1);
    const text = (written.find((one) => one.includes('include: catalog/github')) ?? '').trim();
    assert.ok('policy' in parsePolicy([{ file: 'page', text }]));
  }));

test('the page has a row for each key of an entry, and no other', () => {
  const rows = [...page.matchAll(/^\| `([a-z][\w.[\]<>]*)` \| .* \| .* \|$/gm)].map(([, key = '']) => key);
  const parts = ['credentials', 'parts', 'samples', ...Object.keys(partKeys).map((key) => `parts[].${key}`)];
  const isOwn = (key: string): boolean =>
    !parts.some((part) => key === part || (key.startsWith(`${part}.`) && part.startsWith('parts[]')));
  assert.deepEqual(rows.toSorted(), keysOf(catalogEntrySchema).filter(isOwn).toSorted());
});
