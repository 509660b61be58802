// `tls: auto`: connections of a rule pass unopened where nothing that is for their host looks at, changes, counts or keeps anything but
// where they go.

import type { AccessRequest, Principal } from './decision.ts';
import { ruleAspects } from './rule-aspects.ts';
import { destinationMismatch, isByDestination, type Rule } from './rule.ts';

/** The key of a rule for which its connections have to be opened; undefined: for none. */
export function openingKey(rule: Rule): string | undefined {
  if (rule.mode === 'observe') return 'mode';
  if (rule.trust.length > 0) return 'trust';
  if (isByDestination(rule)) return undefined;
  return (
    ruleAspects.find(({ key, text }) => !ofDestinations.has(key) && text(rule) !== undefined)?.key ?? 'limits'
  );
}

/** What a connection shows, and what is counted of it. */
const ofDestinations: ReadonlySet<string> = new Set([
  'hosts',
  'scheme',
  'ports',
  'for',
  'require',
  'expires',
  'addresses',
  'exit',
  'tls',
  'mode',
  'deny',
  'limits',
]);

/** The rule for which a connection is opened; undefined: there is none. Rules whose facts the session lacks count: others may come. */
export function openingRule(
  lists: readonly (readonly Rule[])[],
  {
    principal,
    access,
    nowMs,
  }: { readonly principal: Principal; readonly access: AccessRequest; readonly nowMs: number },
): Rule | undefined {
  for (const list of lists)
    for (const rule of list)
      if (destinationMismatch(rule, principal, access, nowMs) === undefined && openingKey(rule) !== undefined)
        return rule;
  return undefined;
}

/** Whether connections of the rule may pass unopened, as far as it says so itself. */
export function mayPass(rule: Rule): boolean {
  return rule.opensAsNeeded && openingKey(rule) === undefined;
}

/** What `policy check` says of a rule in which `tls: auto` stands. */
export function autoWarning(rule: Rule): string | undefined {
  if (!rule.opensAsNeeded) return undefined;
  const key = openingKey(rule);
  return key === undefined
    ? autoLoses
    : `"${key}" of this rule needs to see requests, so its connections are always opened; remove "tls"`;
}

/** What `policy check` says wherever connections may pass. */
export const autoLoses =
  'connections for which no rule needs more than where they go pass unopened: the audit has no requests of them, and behind a front that serves many names the one inside of TLS is not seen, so another site there can be reached; write tls: intercept where that matters';
