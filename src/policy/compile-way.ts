// By which way a rule lets something out, and what of DNS.

import { type HostPattern, parseHostPattern } from './host-pattern.ts';
import type { RuleDocument } from './policy-schema.ts';
import type { Rule, RuleScheme } from './rule.ts';
import { asList } from './schema-parts.ts';
import type { YamlPath } from './yaml-source.ts';

interface WayContext {
  /** Names of the exits; undefined if they are not known here. */
  readonly exits: ReadonlySet<string> | undefined;
  readonly isNarrowing: boolean;
  readonly effect: 'allow' | 'deny';
  readonly schemes: ReadonlySet<RuleScheme>;
  readonly report: (path: YamlPath, message: string, severity?: 'error' | 'warning') => void;
}

const dnsPort = 53;

export function compileWay(document: RuleDocument, context: WayContext): Pick<Rule, 'exit' | 'dns'> {
  checkExit(document, context);
  return { exit: document.exit, dns: compileDns(document, context) };
}

/** Nobody who narrows a session says how it goes out. */
function checkExit({ exit }: RuleDocument, { exits, isNarrowing, report }: WayContext): void {
  if (exit === undefined) return;
  if (isNarrowing) report(['exit'], 'the way out is for the policy of the gateway to say; remove it');
  else if (exits !== undefined && exit !== 'direct' && !exits.has(exit))
    report(
      ['exit'],
      `there is no exit ${JSON.stringify(exit)} in the gateway's configuration; ${exits.size === 0 ? 'define it under "upstream.exits" there' : `it has ${[...exits].join(', ')}, and direct`}`,
    );
}

/** Undefined where any datagram passes. */
function compileDns(
  { dns, ports }: RuleDocument,
  { effect, schemes, report }: WayContext,
): readonly HostPattern[] | undefined {
  if (effect === 'deny') return undefined;
  const isUdp = schemes.has('udp');
  if (dns === undefined) {
    if (isUdp && asList(ports).includes(dnsPort))
      report(
        ['ports'],
        'queries of DNS carry anything to whoever has a name; write dns: { names: … } with the names that they may be about',
        'warning',
      );
    return undefined;
  }
  if (!isUdp) report(['dns'], 'queries of DNS go by datagrams; write scheme: udp, or remove "dns"');
  const names = asList(dns.names);
  return names.flatMap((text, i) => {
    const found = parseHostPattern(text, 'allow');
    if (typeof found !== 'string' && !(found.kind === 'exact' && found.isAddress)) return [found];
    const path = Array.isArray(dns.names) ? ['dns', 'names', i] : ['dns', 'names'];
    report(path, typeof found === 'string' ? found : 'an address is no name; write a name');
    return [];
  });
}
