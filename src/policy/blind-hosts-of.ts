// Where rules take the bytes of a connection as they are, or end what is spoken in it.

import type { Principal } from './decision.ts';
import { formatHostPattern } from './host-pattern.ts';
import type { ProtocolEnd } from './protocol-rule.ts';
import { isForSession, type Rule } from './rule.ts';

/** Destinations of rules for this principal, one by one, as `host:port`. @param protocol of the rules that end this one alone */
export function blindHostsOf(
  rules: readonly Rule[],
  principal: Principal,
  protocol?: ProtocolEnd['protocol'],
): readonly string[] {
  const meant = rules.filter(
    ({ end, schemes }) => !schemes.has('udp') && (protocol === undefined || end?.protocol === protocol),
  );
  return meant.filter((rule) => isForSession(rule, principal)).flatMap(blindPatterns);
}

/** A rule without ports is for those that its schemes imply. */
function blindPatterns({ hosts, ports }: Rule): readonly string[] {
  const own = ports === undefined ? [80, 443] : [...ports];
  return hosts.map(formatHostPattern).flatMap((host) => {
    const shown = host.includes(':') ? `[${host}]` : host;
    return own.map((port) => `${shown}:${port}`);
  });
}
