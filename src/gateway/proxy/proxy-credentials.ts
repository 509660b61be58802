// What a client of a proxy sends in Proxy-Authorization (RFC 9110 §11.7.2): one field, Basic (RFC 7617) or Bearer (RFC 6750).

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/**
 * The token in the values of the field: what stands behind `Bearer`, or the password of `Basic`. Undefined where there is no such
 * field. Throws `token_malformed` for two of them and for any other form; the message holds nothing of a value.
 */
export function proxyToken(values: readonly string[]): string | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) throw malformed('it stands more than once');
  const space = value.indexOf(' ');
  const scheme = value.slice(0, Math.max(0, space)).toLowerCase();
  const rest = value.slice(space + 1);
  if (scheme === 'bearer') return tokenOf(rest);
  if (scheme === 'basic') return tokenOf(basicPassword(rest) ?? '');
  throw malformed('it is neither Basic nor Bearer');
}

/** Undefined for what is not a name, a colon and a password in base64, in its one spelling (RFC 4648 §3.5). */
export function basicPassword(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return undefined;
  const pair = bytes.toString('latin1');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}

/** Of the characters that a JWT has (RFC 7515 §3.1). */
function tokenOf(text: string): string {
  if (text.length <= defaultLimits.tokenBytesMax && /^[A-Za-z0-9._-]+$/.test(text)) return text;
  throw malformed('what it brings is not a token');
}

function malformed(why: string): ProxyError {
  return new ProxyError('token_malformed', `The field Proxy-Authorization is malformed: ${why}.`);
}
