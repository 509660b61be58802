// The name under which AWS shows what a session did: its subject, in the letters that STS takes.

import { createHash } from 'node:crypto';

/** Of STS for `RoleSessionName`. */
const nameCharacters = 64;
/** 96 bits: nobody makes a subject with the mark of another one. */
const markCharacters = 24;

/** `principalId` is issuer and subject, with a bar between. The mark is of both, so that no other session has the name. */
export function sessionNameOf(principalId: string): string {
  const mark = createHash('sha256').update(principalId).digest('hex').slice(0, markCharacters);
  const subject = principalId.slice(principalId.indexOf('|') + 1);
  const readable = subject
    .slice(-4 * nameCharacters)
    .replace(/[^A-Za-z0-9_+=,.@-]+/g, '-')
    .slice(-(nameCharacters - markCharacters - 1))
    .replace(/^-/, '');
  return readable === '' ? mark : `${readable}-${mark}`;
}
