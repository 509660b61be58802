// Whether one rule leaves nothing over for another.

import { sameSelectors } from './claim-selector.ts';
import { gitCovers } from './git-condition.ts';
import { graphqlCovers } from './graphql-rule.ts';
import { llmCovers } from './llm-rule.ts';
import { mcpCovers } from './mcp-rule.ts';
import { coversHosts } from './host-pattern.ts';
import { denialsCover, packagesCover } from './package-text.ts';
import { type Rule, type RuleScheme, seesRequests } from './rule.ts';
import { signCovers } from './sign-rule.ts';

/** Whether `other` always decides before `rule` is asked, so that `rule` is dead. */
export function decidesBefore(other: Rule, rule: Rule): boolean {
  if (other.effect === 'allow' && (rule.effect === 'deny' || other.order > rule.order)) return false;
  if (other.effect === rule.effect && other.order > rule.order) return false;
  // A rule on trial decides nothing; a condition, a time or a claim may leave something over.
  if (other.effect === 'deny' && other.mode === 'observe' && rule.mode !== 'observe') return false;
  if (other.effect === 'deny' && other.mode === 'observe' && rule.effect === 'allow') return false;
  if (other.when !== undefined || other.expiresMs !== undefined) return false;
  if (other.selectors.length > 0 && !sameSelectors(other.selectors, rule.selectors)) return false;
  if (!other.require.every((fact) => rule.require.includes(fact))) return false;
  // The cheapest of the three first: on one host with thousands of rules nearly all differ in their paths.
  return (
    coversRequests(other, rule) && coversDestinations(other, rule) && coversHosts(other.hosts, rule.hosts)
  );
}

function coversDestinations(other: Rule, rule: Rule): boolean {
  // Raw TCP takes the connection whatever its bytes are, so the scheme of the other rule does not matter.
  const isRaw = other.handling === 'raw' && other.schemes.has('tcp') && !rule.schemes.has('udp');
  if (rule.handling === 'raw' && !isRaw && !other.schemes.has('tcp')) {
    // The other rule decides for TLS and HTTP only; raw bytes are left to this one.
    return false;
  }
  return [...rule.schemes].every(
    (scheme) =>
      (isRaw || other.schemes.has(scheme)) &&
      portsOf(rule, scheme).every((port) => hasPort(other, scheme, port)),
  );
}

/** Ports on which the rule takes what has this scheme. */
export function portsOf(rule: Rule, scheme: RuleScheme): readonly (number | 'all')[] {
  if (rule.ports !== undefined) return [...rule.ports];
  return rule.effect === 'deny' ? ['all'] : [scheme === 'http' ? 80 : 443];
}

function hasPort(rule: Rule, scheme: RuleScheme, port: number | 'all'): boolean {
  const own = portsOf(rule, scheme);
  return own.includes('all') || own.includes(port);
}

function coversRequests(other: Rule, rule: Rule): boolean {
  // For a connection the first rule decides how it is handled, whatever its methods and paths are.
  if (rule.handling !== 'intercept' && other.effect === 'allow') return true;
  if (other.effect === 'allow' && other.handling !== 'intercept') return true;
  if (rule.handling !== 'intercept' && seesRequests(other)) return true;
  if (!gitCovers(other, rule) || !mcpCovers(other.mcp, rule.mcp)) return false;
  if (!graphqlCovers(other.graphql, rule.graphql) || !llmCovers(other, rule)) return false;
  if (!coversPackages(other, rule) || !signCovers(other, rule)) return false;
  const { methods, paths } = other;
  if (
    methods !== undefined &&
    !(rule.methods !== undefined && [...rule.methods].every((one) => methods.has(one)))
  ) {
    return false;
  }
  if (paths === undefined) return true;
  return rule.paths?.every((inner) => paths.some((outer) => outer.covers(inner))) === true;
}

/** A rule that denies a part of a package leaves the rest over; one that allows leaves what is too young. */
function coversPackages(other: Rule, rule: Rule): boolean {
  if (other.packages === undefined) return true;
  if (other.effect === rule.effect)
    return (rule.effect === 'deny' ? denialsCover : packagesCover)(other.packages, rule.packages);
  // A denial of all packages of the registry, and of what cannot be read, leaves a client nothing; to tell so is not worth its rules.
  return false;
}
