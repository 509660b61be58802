// A rule's host: an exact name, a wildcard over whole labels, an IP literal, or `*`.

import { digitsAtEnd } from '../http/digits-at-end.ts';
import { canonicalAddress } from '../http/ip-address.ts';

/**
 * `suffix` is `*.` and stands for one or more whole labels; `any` is `*`. Neither matches IP literals, except `*` in a
 * rule that denies.
 */
export type HostPattern =
  | { readonly kind: 'exact'; readonly host: string; readonly isAddress: boolean }
  | { readonly kind: 'suffix'; readonly suffix: string }
  | { readonly kind: 'any'; readonly withAddresses: boolean };

/** Reads one host pattern of a rule; a string is the reason why it is none, and what to write. */
export function parseHostPattern(text: string, effect: 'allow' | 'deny'): HostPattern | string {
  const shown = JSON.stringify(text.slice(0, 80));
  if (text === '*') return { kind: 'any', withAddresses: effect === 'deny' };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return `${shown} is a URL; write only its host, and put the path under "paths"`;
  }
  if (text.includes('/')) return `${shown} has a "/"; write only the host here and the path under "paths"`;
  const bare = text.length > 1 && text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const address = canonicalAddress(bare);
  if (address !== undefined) return { kind: 'exact', host: address, isAddress: true };
  if (text[digitsAtEnd(text) - 1] === ':')
    return `${shown} has a port; write the host alone and the port under "ports"`;
  const isWildcard = text.startsWith('*.');
  const name = (isWildcard ? text.slice(2) : text).toLowerCase();
  const reason = nameProblem(name, shown);
  if (reason !== undefined) return reason;
  return isWildcard ? { kind: 'suffix', suffix: name } : { kind: 'exact', host: name, isAddress: false };
}

function nameProblem(name: string, shown: string): string | undefined {
  if (name.endsWith('.'))
    return `${shown} ends with a dot; names are absolute here already, so leave the dot out`;
  if (name.includes('*')) {
    return `${shown} has a wildcard inside; "*." stands for whole labels and only at the start, as in *.example.com`;
  }
  // oxlint-disable-next-line no-control-regex -- anything outside ASCII is what is looked for
  if (/[^\u0000-\u007f]/.test(name)) {
    return `${shown} is not ASCII; write the A-label form of the name (it starts with xn--)`;
  }
  const labels = name.split('.');
  const isSound = labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (!isSound || name.length > 253) {
    return `${shown} is not a host name; write names such as registry.example.com or *.example.com`;
  }
  if (/^(?:[1-9]\d*|0\d*|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    return `${shown} looks like a number for an address; write an IPv4 address as four decimal parts, such as 192.0.2.1`;
  }
  if (labels.length === 1 && !shown.startsWith('"*.')) {
    return `${shown} is a single label; write the full name of the host, such as ${name}.example.com`;
  }
  return undefined;
}

/** The pattern as it is written in a policy. */
export function formatHostPattern(pattern: HostPattern): string {
  switch (pattern.kind) {
    case 'exact':
      return pattern.host;
    case 'suffix':
      return `*.${pattern.suffix}`;
    case 'any':
      return '*';
  }
}

/** Whether every host that `inner` matches is matched by `outer` too. */
export function hostCovers(outer: HostPattern, inner: HostPattern): boolean {
  if (outer.kind === 'any')
    return (
      outer.withAddresses ||
      (inner.kind === 'exact' ? !inner.isAddress : inner.kind !== 'any' || !inner.withAddresses)
    );
  if (inner.kind === 'any') return false;
  if (outer.kind === 'exact') return inner.kind === 'exact' && inner.host === outer.host;
  if (inner.kind === 'exact') return !inner.isAddress && inner.host.endsWith(`.${outer.suffix}`);
  return inner.suffix === outer.suffix || inner.suffix.endsWith(`.${outer.suffix}`);
}

/** Whether some host is matched by both. */
export function hostsOverlap(a: HostPattern, b: HostPattern): boolean {
  return hostCovers(a, b) || hostCovers(b, a);
}

/** Up to so many pairs are compared; more are looked up. */
const pairsMax = 64;

/** Whether every host of `inner` is covered by one of `outer`. */
export function coversHosts(outer: readonly HostPattern[], inner: readonly HostPattern[]): boolean {
  if (outer.length * inner.length <= pairsMax)
    return inner.every((one) => outer.some((other) => hostCovers(other, one)));
  const byKey = new Map(outer.map((pattern) => [formatHostPattern(pattern), pattern]));
  return inner.every((one) =>
    coveringKeys(one).some((key) => {
      const pattern = byKey.get(key);
      return pattern !== undefined && hostCovers(pattern, one);
    }),
  );
}

/** The patterns that could cover this one, as they are written. */
export function coveringKeys(host: HostPattern): readonly string[] {
  return [...new Set(['*', formatHostPattern(host), ...suffixesOf(host).map((suffix) => `*.${suffix}`)])];
}

/** The names that the pattern lies below, or is itself as a wildcard. */
export function suffixesOf(host: HostPattern): readonly string[] {
  if (host.kind === 'any' || (host.kind === 'exact' && host.isAddress)) return [];
  const labels = (host.kind === 'exact' ? host.host : host.suffix).split('.');
  return labels.map((_, i) => labels.slice(i).join('.')).slice(host.kind === 'exact' ? 1 : 0);
}
