// Files of settings by line, `name = value` or `name: value`, with sections or without: pip's, cargo's, Gradle's and many others.

import { replaceInUrls, type ReplaceSecret } from './secret-form.ts';

/** Parts of names under which secrets stand. */
const secretName =
  /pass(?:wd|word|phrase|code)|token|secret|credential|cookie|bearer|extraheader|auth(?:ident|orization)|(?:api|access|private|secret|signing)[-_.]?key|(?:^|[:._-])(?:key|otp|pass|_?auth)$/i;

export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** Entries under secret names are left out with the lines that continue them, and so are comments. */
export function settings(text: string, replace: ReplaceSecret): string {
  if (text.includes('-----BEGIN') || text.includes('\0')) throw new Error('it holds a key, or is no text');
  const kept: string[] = [];
  /** Blanks before the entry that is left out; what is further in belongs to it. */
  let leftOut: number | undefined;
  let goesOn = false;
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const indent = line.length - line.trimStart().length;
    const isPart = leftOut !== undefined && (goesOn || indent > leftOut);
    if (isComment(trimmed) && !goesOn) {
      noteComment(trimmed, replace);
      continue;
    }
    if (!isPart) {
      leftOut = isSecretName(nameIn(trimmed)) ? indent : undefined;
      if (leftOut === undefined) kept.push(`${line}\n`);
      else leaveOut(trimmed, replace);
    }
    goesOn = leftOut !== undefined && trimmed.endsWith('\\');
  }
  return replaceInUrls(kept.join(''), replace);
}

/** Old secrets stand in comments too. */
export function noteComment(comment: string, replace: ReplaceSecret): void {
  if (isSecretName(comment) || comment.includes('@')) replace('', undefined);
}

function isComment(line: string): boolean {
  return /^[;#!]/.test(line);
}

/** Empty for a section, an element of a list, and what goes on with a line before. */
function nameIn(line: string): string {
  const entry = line.replace(/^(?:export|-) /, '');
  const at = entry.search(/[=:]/);
  return at === -1 || entry.startsWith('[') ? '' : entry.slice(0, at).replaceAll(/["']/g, '').trim();
}

function leaveOut(entry: string, replace: ReplaceSecret): void {
  // What goes on behind its line in another way than by blanks is not followed.
  if (/"""|'''|<<|[|>{[(]$/.test(entry)) throw new Error('a secret may go on over several lines');
  replace('', undefined);
}
