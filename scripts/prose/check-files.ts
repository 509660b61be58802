// The texts of the project against the rules for prose.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { audienceOf, checkText } from './check-text.ts';

/** All that people read: documents, and what commands and errors say. */
export function proseFiles(root: string): readonly string[] {
  const files = globSync(['*.md', 'docs/**/*.md', 'src/{cli,protocol}/**/*.ts'], { cwd: root })
    .filter((file) => audienceOf(file) !== undefined)
    .toSorted();
  // A check that sees nothing must not pass.
  if (files.length < 80) throw new Error(`only ${files.length} texts were found`);
  return files;
}

/** `file:line:column rule: what to write`, for each place. */
export function checkFiles(root: string, files: readonly string[]): readonly string[] {
  return files.flatMap((name) =>
    checkText(name, readFileSync(join(root, name), 'utf8')).map(
      ({ file, line, column, rule, message }) => `${file}:${line}:${column} ${rule}: ${message}`,
    ),
  );
}
