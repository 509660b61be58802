// Pages that can be read without a server: their links, styles and pictures are named from where the page is. Search needs a server.

import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `folder`: the built site. */
export function relativeAddresses(folder: string): void {
  for (const file of globSync('**/*.html', { cwd: folder })) {
    const up = '../'.repeat(file.split('/').length - 1) || './';
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), relativeText(text, up));
  }
}

/** `/x` becomes `../x`, and the front page `../index.html`, in attributes of tags. */
export function relativeText(html: string, up: string): string {
  return html
    .replaceAll(/ (href|src)="\/"/g, ` $1="${up}index.html"`)
    .replaceAll(/ (href|src)="\/(?!\/)([^"]*)"/g, ` $1="${up}$2"`);
}
