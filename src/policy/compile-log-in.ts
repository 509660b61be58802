// `logIn` of a rule as it is written, to under which name tokens are kept, and where they are handed out.

import { widthProblem } from './compile-hosts.ts';
import type { HostPattern } from './host-pattern.ts';
import type { RuleLogIn } from './log-in-rule.ts';
import type { RuleDocument } from './policy-schema.ts';
import type { Report } from './yaml-source.ts';

interface LogInContext {
  readonly schemes: ReadonlySet<string>;
  readonly hosts: readonly HostPattern[];
  readonly report: Report;
}

export function compileLogIn(
  document: RuleDocument,
  { schemes, hosts, report }: LogInContext,
): RuleLogIn | undefined {
  const { logIn, inject, paths } = document;
  if (logIn === undefined) return undefined;
  const { name, issuer, revoke } =
    typeof logIn === 'string' ? { name: logIn, issuer: undefined, revoke: undefined } : logIn;
  if (inject !== undefined)
    report(
      ['logIn'],
      'tokens of the session and a credential of the gateway do not go on one request; remove "inject", or write a rule of its own',
    );
  if (schemes.has('http'))
    report(
      ['logIn'],
      'a token is never sent in cleartext; write scheme: https, and a rule of its own for http',
    );
  if (hosts.some((host) => widthProblem(host) !== undefined))
    report(
      ['logIn'],
      "a token is never given to a wildcard over strangers' hosts; name the hosts that get it",
    );
  if (issuer === true && paths === undefined)
    report(
      ['logIn', 'issuer'],
      'name the endpoints of the server in "paths", such as /oauth/token: all that they respond with is read, and pages are not passed on',
    );
  if (revoke !== undefined && (issuer !== true || hosts.some((host) => host.kind !== 'exact')))
    report(
      ['logIn', 'revoke'],
      'tokens are revoked at a server that the rule names: write issuer: true, and hosts without a wildcard',
    );
  return issuer === true ? { name, isIssuer: true, ...(revoke === undefined ? {} : { revoke }) } : { name };
}
