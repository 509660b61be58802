// What a PAC script says: a list of proxies and DIRECT, in the order in which they are tried.

import { parseAuthority } from '../../http/authority.ts';

export type PacHop =
  | { readonly kind: 'direct' }
  /** `key` is compared with `pacKey` of the proxies in the configuration. */
  | { readonly kind: 'proxy'; readonly key: string }
  /** Nothing that is spoken here. */
  | { readonly kind: 'unknown'; readonly text: string };

const kinds: Readonly<Record<string, { readonly kind: string; readonly port: number }>> = {
  PROXY: { kind: 'http', port: 80 },
  HTTP: { kind: 'http', port: 80 },
  HTTPS: { kind: 'https', port: 443 },
  SOCKS5: { kind: 'socks5', port: 1080 },
};

/** A text without a word is DIRECT, as in browsers. @param text bounded by whoever asked the script */
export function parsePacResult(text: string): readonly PacHop[] {
  const entries = text
    .split(';')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  return entries.length === 0 ? [{ kind: 'direct' }] : entries.map(parseEntry);
}

function parseEntry(entry: string): PacHop {
  const [word = '', where, ...more] = entry.split(/\s+/);
  const name = word.toUpperCase();
  if (name === 'DIRECT' && where === undefined) return { kind: 'direct' };
  const known = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (known === undefined || where === undefined || more.length > 0)
    return { kind: 'unknown', text: entry.slice(0, 80) };
  const authority = parsePlace(where, known.port);
  if (authority === undefined) return { kind: 'unknown', text: entry.slice(0, 80) };
  return { kind: 'proxy', key: pacKey(known.kind, authority.host, authority.port) };
}

function parsePlace(
  where: string,
  port: number,
): { readonly host: string; readonly port: number } | undefined {
  const hasPort = /:[0-9]{1,5}$/.test(where) && (!where.includes('[') || where.includes(']:'));
  try {
    return parseAuthority(hasPort ? where : `${where}:${String(port)}`);
  } catch {
    return undefined;
  }
}

/** `socks5` and `socks5h` are one word in PAC: the configuration says who resolves. */
export function pacKey(protocol: string, host: string, port: number): string {
  return `${protocol === 'socks5h' ? 'socks5' : protocol} ${host}:${String(port)}`;
}
