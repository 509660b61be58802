// A token in the form of a JWT, for libraries that read one: nobody signed it, and no service takes it.

import { Buffer } from 'node:buffer';

export function lookAlikeJwt(claims: Readonly<Record<string, unknown>>, placeholder: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  // In place of a signature stands what it is.
  const signature = Buffer.from(placeholder).toString('base64url');
  return `${part({ alg: 'RS256', kid: 'upstreamproxy', typ: 'JWT' })}.${part(claims)}.${signature}`;
}
