// Vale's files say what the rules say. UPDATE_DOCS=1 writes them.

import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { valeFiles } from '../../../scripts/prose/vale-files.ts';

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
