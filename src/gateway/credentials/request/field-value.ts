// A secret as a field of a request's head carries it.

import { ProxyError } from '../../../protocol/error.ts';

/**
 * The text itself. Beyond ASCII a field is bytes that some origins take for Latin-1 and some for UTF-8 (RFC 9110 §5.5), and write
 * anew in their responses: a value in all those forms would not be found there.
 * @throws ProxyError credential_unavailable
 */
export function asFieldValue(secret: string): string {
  if (/^[\x20-\x7e]+$/.test(secret)) return secret;
  throw new ProxyError(
    'credential_unavailable',
    'the secret has a character outside of ASCII, which no field can carry; use kind basic or query, which encode it',
  );
}
