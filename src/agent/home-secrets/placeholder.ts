// What stands in a file in place of a secret: of the same form, for its readers look at that before they ask anybody.

import { randomInt } from 'node:crypto';

/** What tells kinds of tokens apart, and is the same in all of them. */
const kinds =
  /^(?:npm_|gh[opusr]_|github_pat_|glpat-|pypi-|dckr_pat_|hf_|sk-ant-api03-|sk-ant-|sk-or-v1-|sk-proj-|sk-|[rs]k_(?:test|live)_|xox[abp]-|lin_api_|ntn_|AIza)/;
/** A chance hit in a request has to be out of the question. */
const randomMin = 16;
const letters = 'abcdefghijklmnopqrstuvwxyz';
const digits = '0123456789';

/** Letters stay letters, digits digits; characters that mean something in a URL or in Base64 become letters. */
export function placeholderFor(secret: string): string {
  const [kind = ''] = kinds.exec(secret) ?? [];
  const body = Array.from(secret.slice(kind.length), (character) => {
    if (/[0-9]/.test(character)) return pick(digits);
    if (/[A-Z]/.test(character)) return pick(letters).toUpperCase();
    return /[._-]/.test(character) ? character : pick(letters);
  });
  const random = body.filter((character) => !/[._-]/.test(character)).length;
  const more = Array.from({ length: Math.max(0, randomMin - random) }, () => pick(letters));
  return kind + body.concat(more).join('');
}

function pick(from: string): string {
  return from.charAt(randomInt(from.length));
}
