// What a rule would have had of a request that it does not match: the facts of the sentence that explains it, as data.

import type { Principal } from './decision.ts';
import { gitText } from './git-condition.ts';
import { graphqlText } from './graphql-rule.ts';
import { llmText } from './llm-rule.ts';
import { mcpText } from './mcp-rule.ts';
import { packagesText } from './package-text.ts';
import { type Mismatch, missingFacts, type Rule } from './rule.ts';
import { signText } from './sign-rule.ts';

/** Some of a list. */
export function listed(values: Iterable<string | number>): string {
  const all = [...values];
  return all.length > 8 ? `${all.slice(0, 8).join(', ')} …` : all.join(', ');
}

/** What the condition that a rule does not match by would have: the same facts as the sentence, as data. */
export function wantedBy(rule: Rule, mismatch: Mismatch, principal: Principal): string {
  switch (mismatch) {
    case 'expired':
      return `before ${new Date(rule.expiresMs ?? 0).toISOString()}`;
    case 'for':
      return listed(rule.selectors.map((selector) => JSON.stringify(selector)));
    case 'scheme':
      return listed(rule.schemes);
    case 'ports':
      return listed(rule.ports ?? (rule.schemes.has('http') ? [80, 443] : [443]));
    case 'handling':
      return 'connections';
    case 'methods':
      return listed(rule.methods ?? []);
    case 'paths':
      return listed((rule.paths ?? []).map(({ source }) => source));
    case 'git':
    case 'refs':
    case 'options':
    case 'unread':
      return rule.git === undefined ? '' : gitText(rule.git);
    case 'graphql':
    case 'no-graphql':
    case 'unread-graphql':
      return rule.graphql === undefined ? '' : graphqlText(rule.graphql);
    case 'mcp':
    case 'pin':
    case 'llm':
    case 'body':
    case 'unread-body':
      if (rule.mcp !== undefined) return mcpText(rule.mcp);
      return rule.llm === undefined ? (rule.when?.source ?? '') : llmText(rule.llm);
    case 'packages':
    case 'age':
    case 'provenance':
    case 'advisory':
    case 'unread-publication':
      return rule.packages === undefined ? '' : packagesText(rule.packages);
    case 'sign':
      return rule.sign === undefined ? '' : signText(rule.sign);
    case 'when':
      return rule.when?.source ?? '';
    case 'require':
      return listed(missingFacts(rule, principal));
  }
}
