// Vale's files say what the rules say. UPDATE_DOCS=1 writes them.

import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, matchesGlob } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { proseFiles } from '../../../scripts/prose/check-files.ts';
import { audienceOf } from '../../../scripts/prose/check-text.ts';
import { places, valeFiles } from '../../../scripts/prose/vale-files.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

test("Vale's configuration and styles are those of the rules", () => {
  const files = valeFiles();
  assert.ok(files.size > 8);
  if (process.env['UPDATE_DOCS'] === '1')
    for (const [file, text] of files) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
  for (const [file, text] of files)
    assert.equal(readFileSync(join(root, file), 'utf8'), text, `UPDATE_DOCS=1 writes ${file}`);
  const styles = globSync('.vale/styles/*/*.yml', { cwd: root });
  assert.deepEqual(
    styles.filter((file) => !files.has(file)),
    [],
    'a style that no rule has',
  );
});

test('Vale holds each document to the rules that are for its readers', () => {
  const documents = proseFiles(root).filter((file) => file.endsWith('.md'));
  assert.ok(documents.length > 50);
  for (const file of documents) {
    const [, audience] = places.findLast(([glob]) => matchesGlob(file, glob)) ?? [];
    assert.equal(audience, audienceOf(file), file);
  }
});
