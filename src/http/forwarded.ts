// Who sent a request that came through proxies: `Forwarded` (RFC 7239) or `X-Forwarded-For`, believed from trusted proxies alone.

import { formatIpv6, parseIpv4, parseIpv6 } from './ip-address.ts';
import { defaultLimits } from '../protocol/limits.ts';

export interface ForwardedFields {
  /** The values of the field lines, in their order. */
  readonly forwarded: readonly string[];
  readonly xForwardedFor: readonly string[];
}

/**
 * The address that counts as the sender: read from the right, the first that is no trusted proxy. What is left of it was written by
 * whoever sent the request. `peer` is the address of the connection. An entry that is no address (`unknown`, an obfuscated name) is
 * somebody whom nobody can tell apart, so it ends the walk at the proxy that wrote it.
 */
export function senderAddress(
  peer: string,
  fields: ForwardedFields,
  isTrusted: (address: string) => boolean,
): string {
  if (!isTrusted(peer)) return peer;
  // Two fields can disagree, and a proxy that writes one passes the client's other on: only where one stands alone is it read.
  const { forwarded, xForwardedFor } = fields;
  if (forwarded.length > 0 && xForwardedFor.length > 0) return peer;
  const entries =
    forwarded.length > 0 ? forwardedEntries(forwarded.join(',')) : xForwardedFor.join(',').split(',');
  let sender = peer;
  for (const entry of entries.slice(-defaultLimits.forwardedHopsMax).toReversed()) {
    const address = addressOf(entry.trim());
    if (address === undefined) return sender;
    sender = address;
    if (!isTrusted(address)) return sender;
  }
  return sender;
}

/** The `for` of each element (RFC 7239 §4); an element without one is empty. */
function forwardedEntries(text: string): string[] {
  const entries: string[] = [];
  let entry = '';
  let isQuoted = false;
  let pair = '';
  const endPair = (): void => {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim().toLowerCase() === 'for')
      entry = unquoted(pair.slice(equals + 1).trim());
    pair = '';
  };
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    if (!isQuoted && (character === ';' || character === ',')) {
      endPair();
      if (character === ',') {
        entries.push(entry);
        entry = '';
      }
    } else pair += character;
  }
  endPair();
  entries.push(entry);
  return entries;
}

function unquoted(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`, in canonical form. */
function addressOf(text: string): string | undefined {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  if (bracket > 0) return ipv6Of(text.slice(1, bracket));
  if (text.indexOf(':') !== text.lastIndexOf(':')) return ipv6Of(text);
  const host = text.split(':', 1)[0] ?? '';
  return parseIpv4(host) === undefined ? undefined : host;
}

function ipv6Of(text: string): string | undefined {
  const groups = parseIpv6(text);
  return groups === undefined ? undefined : formatIpv6(groups);
}
