// `.npmrc` of npm, pnpm, yarn and bun: https://docs.npmjs.com/cli/configuring-npm/npmrc

import { placeOf, replaceInPair, replaceInUrls, type ReplaceSecret } from './secret-form.ts';
import { isSecretName, noteComment } from './settings-form.ts';

const scoped = /^(\/\/.+):(_authToken|_auth|_password)$/;

export function npmrc(text: string, replace: ReplaceSecret): string {
  return text
    .split(/\r?\n/)
    .flatMap((line) => {
      const trimmed = line.trim();
      if (trimmed === '') return [];
      if (/^[;#]/.test(trimmed)) {
        noteComment(trimmed, replace);
        return [];
      }
      const kept = entry(trimmed, replace);
      return kept === undefined ? [] : [`${kept}\n`];
    })
    .join('');
}

function entry(line: string, replace: ReplaceSecret): string | undefined {
  const equals = line.indexOf('=');
  if (equals === -1) return line;
  const key = unquoted(line.slice(0, equals));
  const value = unquoted(line.slice(equals + 1));
  const [, url = '', kind] = scoped.exec(key) ?? [];
  // A variable is not followed; what it stands for is in the environment.
  if (/^\$\{[^}]+\}$/.test(value)) return line;
  if (kind === undefined) {
    if (!isSecretName(key) || key.endsWith(':tokenHelper')) return replaceInUrls(line, replace);
    replace(value, undefined);
    return undefined;
  }
  const place = placeOf(`https:${url}`);
  const replaced = ofKind(kind, value, (secret) => replace(secret, place));
  return replaced === undefined ? undefined : `${key}=${replaced}`;
}

function ofKind(
  kind: string,
  value: string,
  replace: (secret: string) => string | undefined,
): string | undefined {
  if (kind === '_authToken') return replace(value);
  if (kind === '_auth') return replaceInPair(value, replace, undefined);
  const password = replace(Buffer.from(value, 'base64').toString('utf8'));
  return password === undefined ? undefined : Buffer.from(password).toString('base64');
}

/** As npm's reader has it: quotes are JSON, and a comment may follow. */
function unquoted(text: string): string {
  const trimmed = text.trim();
  const [quoted] = /^"(?:[^"\\]|\\.)*"|^'[^']*'/.exec(trimmed) ?? [];
  if (quoted !== undefined) return quoted.slice(1, -1);
  return trimmed.replace(/(?<!\\)[;#].*$/, '').trim();
}
