// Writes the pages for man(1) into the folder man, which the package has. Given a folder, writes into that one.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { definitions } from '../src/cli/commands/definitions.ts';
import { renderMan } from '../src/cli/help/render-man.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = process.argv[2] ?? join(root, 'man');
// The project's own file.
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
};
const pages = renderMan({ name: 'upstreamproxy', definitions }, version);
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const { file, text } of pages) await writeFile(join(folder, file), text);
console.log(`man: ${pages.length} pages`);
