// Pages that can be read without a server: their links, styles and pictures are named from where the page is. Search needs a server.

import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `folder`: the built site of one version, which is served at `base`. */
export function relativeAddresses(folder: string, base: string): void {
  for (const file of globSync('**/*.html', { cwd: folder })) {
    const up = '../'.repeat(file.split('/').length - 1) || './';
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), relativeText(text, up, base));
  }
}

/** `/base/x` becomes `../x`, and the front page `../index.html`, in attributes of tags. */
export function relativeText(html: string, up: string, base: string): string {
  return html.replaceAll(/ (href|src)="(\/(?!\/)[^"]*)"/g, (all, name: string, path: string) => {
    if (!path.startsWith(base)) return all;
    return ` ${name}="${up}${path.slice(base.length) || 'index.html'}"`;
  });
}
