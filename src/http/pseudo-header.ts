// The pseudo-header fields of an HTTP/2 request (RFC 9113 §8.3.1, RFC 8441 §4).

import { ProxyError } from '../protocol/error.ts';
import { printable } from './printable.ts';

export interface PseudoHeaders {
  readonly method?: string;
  readonly scheme?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly protocol?: string;
}

const names: ReadonlySet<string> = new Set(['method', 'scheme', 'authority', 'path', 'protocol']);
const connectionSpecific: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/**
 * Takes the pseudo-header fields off the front of raw HTTP/2 fields and refuses connection-specific fields.
 * Throws `request_malformed` for an unknown, repeated, misplaced or empty one.
 */
export function takePseudoHeaders(raw: readonly string[]): {
  readonly pseudo: PseudoHeaders;
  readonly regular: readonly string[];
} {
  const pseudo: Record<string, string> = {};
  const regular: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name, value] = [raw[i] ?? '', raw[i + 1] ?? ''];
    if (name.startsWith(':')) {
      if (regular.length > 0) throw malformed(`${printable(name)} stands behind a regular field`);
      const key = name.slice(1);
      if (!names.has(key)) throw malformed(`${printable(name)} is not a pseudo-header field of a request`);
      if (pseudo[key] !== undefined) throw malformed(`${printable(name)} stands more than once`);
      if (value === '') throw malformed(`${printable(name)} is empty`);
      pseudo[key] = value;
    } else {
      if (connectionSpecific.has(name)) throw malformed(`${printable(name)} is not allowed in HTTP/2`);
      if (name === 'te' && value !== 'trailers') throw malformed('te may only be "trailers" in HTTP/2');
      regular.push(name, value);
    }
  }
  return { pseudo, regular };
}

/** Several cookie fields of HTTP/2 are one field to HTTP/1.1 (RFC 9113 §8.2.3); it takes the first one's place. */
export function joinCookies(raw: readonly string[]): readonly string[] {
  const joined: string[] = [];
  let place = -1;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name, value] = [raw[i] ?? '', raw[i + 1] ?? ''];
    if (name !== 'cookie' || place === -1) {
      if (name === 'cookie') place = joined.length + 1;
      joined.push(name, value);
    } else {
      joined[place] = `${joined[place] ?? ''}; ${value}`;
    }
  }
  return joined;
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The HTTP/2 request is refused: ${reason}.`);
}
