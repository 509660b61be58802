// The one parser of `host:port`. Its output is what policy, DNS, dial, SNI, leaf, injection and audit use.

import { ProxyError } from '../protocol/error.ts';
import type { Authority, Destination } from './destination.ts';
import { formatIpv6, parseIpv4, parseIpv6 } from './ip-address.ts';
import { printable } from './printable.ts';

/** Longest accepted text: a 253-octet name with a dot, a colon and five digits. */
const textLengthMax = 260;

/**
 * Parses `host:port` strictly into canonical form: lower case, no trailing dot, RFC 5952 without brackets for IPv6.
 * Nothing is decoded or guessed. Throws `authority_malformed` with the reason; without a port and without
 * `defaultPort` too.
 */
export function parseAuthority(text: string, options: { readonly defaultPort?: number } = {}): Authority {
  if (text === '') throw malformed(text, 'it is empty');
  if (text.length > textLengthMax) throw malformed(text, 'it is longer than any host name');
  refuseForeignCharacters(text);
  const { host, port } = splitPort(text);
  return {
    host: host.startsWith('[') ? canonicalBracketed(text, host) : canonicalName(text, host),
    port: port === undefined ? requireDefault(text, options.defaultPort) : parsePort(text, port),
  };
}

/** `host:port`, with brackets around IPv6. */
export function formatAuthority(authority: Authority): string {
  return `${bracketed(authority.host)}:${authority.port}`;
}

/** Value of the Host field (and of `:authority`): the port is left out where it is the scheme's default. */
export function hostField(destination: Destination): string {
  const isDefault = destination.port === defaultPortOf(destination.scheme);
  return isDefault ? bracketed(destination.host) : formatAuthority(destination);
}

/** The port that a scheme implies; `tcp` implies none. */
export function defaultPortOf(scheme: Destination['scheme']): number | undefined {
  if (scheme === 'https') return 443;
  return scheme === 'http' ? 80 : undefined;
}

/** 4 or 6 for an IP literal without brackets, 0 for everything else. */
export function isAddressLiteral(host: string): 4 | 6 | 0 {
  if (parseIpv4(host) !== undefined) return 4;
  return parseIpv6(host) === undefined ? 0 : 6;
}

/** As a host stands in a URL. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function refuseForeignCharacters(text: string): void {
  const foreign = /[^A-Za-z0-9._:[\]-]/u.exec(text)?.[0];
  if (foreign === undefined) return;
  if (foreign === '@') throw malformed(text, 'user information does not belong there');
  if (foreign === '%') throw malformed(text, 'percent-encoding and zone identifiers are not accepted');
  if (foreign > '\x7f') throw malformed(text, 'it is not ASCII; send the A-label (xn--…) of the name');
  if (foreign <= ' ' || foreign === '\x7f')
    throw malformed(text, 'it has white space or a control character');
  throw malformed(text, `the character ${printable(foreign)} cannot stand in a host`);
}

/** Splits at the one colon that is outside brackets. */
function splitPort(text: string): { host: string; port: string | undefined } {
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close === -1) throw malformed(text, 'the bracket is not closed');
    const rest = text.slice(close + 1);
    if (rest !== '' && !rest.startsWith(':')) throw malformed(text, 'text stands behind the bracket');
    return { host: text.slice(0, close + 1), port: rest === '' ? undefined : rest.slice(1) };
  }
  const colon = text.indexOf(':');
  if (colon === -1) return { host: text, port: undefined };
  if (text.includes(':', colon + 1)) {
    const hint =
      parseIpv6(text) === undefined ? 'it has more than one colon' : 'an IPv6 address needs brackets';
    throw malformed(text, hint);
  }
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function parsePort(text: string, port: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(port)) throw malformed(text, 'the port is not a plain decimal number from 1');
  const value = Number(port);
  if (value > 65_535) throw malformed(text, 'the port is above 65535');
  return value;
}

function requireDefault(text: string, defaultPort: number | undefined): number {
  if (defaultPort === undefined) throw malformed(text, 'the port is missing');
  return defaultPort;
}

function canonicalBracketed(text: string, host: string): string {
  const groups = parseIpv6(host.slice(1, -1));
  if (groups === undefined) throw malformed(text, 'brackets hold an IPv6 address and nothing else');
  return formatIpv6(groups);
}

/** RFC 1123 labels plus the underscore; names whose last label is a number must be a strict dotted quad. */
function canonicalName(text: string, host: string): string {
  if (/[[\]]/.test(host)) throw malformed(text, 'a bracket stands inside the host');
  const lower = host.toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (name === '') throw malformed(text, 'the host is empty');
  if (name.length > 253) throw malformed(text, 'the host is longer than 253 characters');
  const labels = name.split('.');
  for (const label of labels) {
    if (label === '') throw malformed(text, 'the host has an empty label');
    if (label.length > 63) throw malformed(text, 'a label of the host is longer than 63 characters');
    if (label.startsWith('-') || label.endsWith('-'))
      throw malformed(text, 'a label begins or ends with a hyphen');
  }
  if (/^(?:[1-9][0-9]*|0[0-9]*|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    if (parseIpv4(name) === undefined)
      throw malformed(text, 'it looks like a number and is not a plain IPv4 address');
    return name;
  }
  if (labels.length === 1)
    throw malformed(text, 'a single label is not a full name; send the name with its domain');
  return name;
}

function malformed(text: string, reason: string): ProxyError {
  return new ProxyError('authority_malformed', `The authority ${printable(text)} is not valid: ${reason}.`);
}
