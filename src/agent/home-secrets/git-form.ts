// What git keeps in the home: `.git-credentials` (git-credential-store(1)) and its configuration (git-config(1)).

import { noteComment } from './settings-form.ts';
import { pairOf, placeOf, replaceInPair, replaceInUrls, type ReplaceSecret } from './secret-form.ts';

/** A URL a line; others than https are left out. */
export function gitCredentials(text: string, replace: ReplaceSecret): string {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => {
      if (line.startsWith('https://') && !/\s/.test(line)) return replaceInUrls(line, replace);
      replace(line, undefined);
      return '';
    })
    .filter((line) => line.includes('@'))
    .map((line) => `${line}\n`)
    .join('');
}

/** Fields of requests (`http.extraheader`) are replaced where they authorise at a URL of their section, else left out. */
export function gitConfig(text: string, replace: ReplaceSecret): string {
  if (/\\\r?\n/.test(text)) throw new Error('a line goes on');
  let section = '';
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const trimmed = line.trim();
    if (trimmed === '') return [];
    if (/^[;#]/.test(trimmed)) {
      noteComment(trimmed, replace);
      return [];
    }
    if (trimmed.startsWith('[')) section = trimmed;
    const [, blanks = '', name = '', value = ''] = /^(\s*)([a-z][a-z0-9-]*)\s*=\s*(.*)$/i.exec(line) ?? [];
    if (name.toLowerCase() !== 'extraheader') return [replaceInUrls(line, replace)];
    const header = extraHeader(section, value, replace);
    return header === undefined ? [] : [`${blanks}${name} = ${header}`];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function extraHeader(section: string, value: string, replace: ReplaceSecret): string | undefined {
  const [, url = ''] = /^\[http "([^"]+)"\]$/i.exec(section) ?? [];
  const [, scheme = '', secret = ''] =
    /^"?authorization:\s*([a-z]+)\s+([A-Za-z0-9+/=._~-]+)"?$/i.exec(value.trim()) ?? [];
  const place = placeOf(url);
  if (secret === '' || place === undefined) {
    replace(value, undefined);
    return undefined;
  }
  const isPair = scheme.toLowerCase() === 'basic' && pairOf(secret) !== undefined;
  const placeholder = isPair ? replaceInPair(secret, replace, place) : replace(secret, place);
  return placeholder === undefined ? undefined : `"Authorization: ${scheme} ${placeholder}"`;
}
