// What is to be proven about, as it is written: `POST https://*.example.com/admin/*`.

import { splitNumber } from '../../http/digits-at-end.ts';
import type { RuleScheme } from '../rule.ts';
import { type HostPattern, parseHostPattern } from '../host-pattern.ts';
import { PathPattern } from '../path-pattern.ts';

export interface ProofQuestion {
  /** Undefined: every method. */
  readonly method: string | undefined;
  readonly schemes: readonly Exclude<RuleScheme, 'tcp' | 'udp'>[];
  readonly host: HostPattern;
  /** Undefined: every port. */
  readonly port: number | undefined;
  /** Undefined: every path. */
  readonly path: PathPattern | undefined;
}

/** Every request that there is. */
export const anyRequest: ProofQuestion = {
  method: undefined,
  schemes: ['https', 'http'],
  host: { kind: 'any', withAddresses: true },
  port: undefined,
  path: undefined,
};

/** Reads a question; a string is the reason why it is none, and what to write. */
export function parseProofQuestion(text: string): ProofQuestion | string {
  const space = text.trim().indexOf(' ');
  const method = text.trim().slice(0, Math.max(space, 0));
  const url = text.trim().slice(space).trim();
  const scheme = ['https', 'http'].find((one) => url.startsWith(`${one}://`));
  const rest = scheme === undefined ? url : url.slice(scheme.length + 3);
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? undefined : rest.slice(slash);
  const numbered = splitNumber(authority, ':');
  const { before: host = authority, digits: port } = numbered ?? {};
  if (method === '' || host === '')
    return `"${text.slice(0, 80)}" is no question; write METHOD https://HOST/PATH, such as "POST https://*.example.com/*"`;
  if (method !== '*' && !/^[A-Z][A-Z-]{0,31}$/.test(method))
    return `"${method.slice(0, 80)}" is no method; write it in capitals, or * for every one`;
  // As in a rule that denies: every host is meant, addresses too.
  const pattern = parseHostPattern(host, 'deny');
  if (typeof pattern === 'string') return pattern;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    return `there is no port ${String(port)}`;
  const paths = path === undefined || /^\/\*+$/.test(path) ? undefined : PathPattern.parse(path);
  if (typeof paths === 'string') return paths;
  return {
    method: method === '*' ? undefined : method,
    schemes: scheme === undefined ? ['https', 'http'] : [scheme === 'http' ? 'http' : 'https'],
    host: pattern,
    port: port === undefined ? undefined : Number(port),
    path: paths,
  };
}
