// The part of a document that a bench writes: what stands between its two markers.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const documentFile = fileURLToPath(new URL('../../docs/reference/performance.md', import.meta.url));

/** The document with another text between the markers of `name`; throws where they are not there once, in order. */
export function replaceSection(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- bench ${name} -->`, `<!-- end of bench ${name} -->`];
  const parts = document.split(begin);
  const [before = '', after = ''] = parts;
  const rest = after.split(end);
  if (parts.length !== 2 || rest.length !== 2) throw new Error(`no one pair of markers for ${name}`);
  return `${before}${begin}\n\n${text.trim()}\n\n${end}${rest[1] ?? ''}`;
}

/** Writes the text into docs/reference/performance.md. */
export async function saveSection(name: string, text: string): Promise<void> {
  await writeFile(documentFile, replaceSection(await readFile(documentFile, 'utf8'), name, text));
}
