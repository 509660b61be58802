// `graphql` of a rule as it is written, to what is matched.

import { patternCovers } from './argument-pattern.ts';
import { type GraphqlCondition, rootKeys } from './graphql-rule.ts';
import { patternLengthMax } from './star-pattern.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

/** Problems go to `report`; the result is of use only if none was an error. */
export function compileGraphql(document: RuleDocument, report: Report): GraphqlCondition | undefined {
  const { graphql } = document;
  if (graphql === undefined) return undefined;
  checkBeside(document, report);
  const fields = {
    queries: asList(graphql.queries),
    mutations: asList(graphql.mutations),
    subscriptions: asList(graphql.subscriptions),
  };
  const hasFields = rootKeys.some((key) => fields[key].length > 0);
  const others = ['introspection', 'batch', 'uploads', 'webSocket', 'persisted'] as const;
  if (!hasFields && others.every((key) => graphql[key] === undefined))
    report(['graphql'], 'write what may be asked: queries, mutations or subscriptions');
  for (const key of rootKeys) for (const one of fields[key]) checkPattern(key, one, report);
  for (const one of asList(graphql.names)) checkPattern('names', one, report);
  for (const name of Object.keys(graphql.arguments ?? {}))
    if (!rootKeys.some((key) => fields[key].some((one) => patternCovers(one, name))))
      report(
        ['graphql', 'arguments', name],
        `no field that the rule names is ${name}; write it under queries or mutations`,
      );
  checkDenial(document, report);
  return {
    ...fields,
    input: graphql.arguments,
    introspection: graphql.introspection === true,
    names: graphql.names === undefined ? undefined : asList(graphql.names),
    depthMax: graphql.depthMax,
    aliasesMax: graphql.aliasesMax,
    costMax: graphql.costMax,
    batch: graphql.batch === true,
    uploads: graphql.uploads === true,
    webSocket: graphql.webSocket === true,
    persisted: asList(graphql.persisted),
    ids: compileIds(document, report),
  };
}

function checkBeside(
  { deny, methods, git, mcp, paths, graphql, rewrite }: RuleDocument,
  report: Report,
): void {
  if (methods !== undefined)
    report(['methods'], '"graphql" says the methods of HTTP already; remove "methods"');
  if (git !== undefined) report(['git'], "no request is both git's and of GraphQL; write two rules");
  if (mcp !== undefined) report(['mcp'], 'no request is both of MCP and of GraphQL; write two rules');
  if (graphql?.webSocket !== undefined && rewrite !== undefined)
    report(['rewrite'], 'nothing is rewritten on a WebSocket; remove graphql.webSocket, or write two rules');
  if (deny === undefined && paths === undefined)
    report(
      ['graphql'],
      'the rule is for every path of its hosts; write the path of the server, such as paths: /graphql',
    );
}

/** Each is looked for in each field of a query. */
const placesMax = 64;

function compileIds({ graphql }: RuleDocument, report: Report): GraphqlCondition['ids'] {
  if (graphql?.ids === undefined) return undefined;
  const { from, at, text } = graphql.ids;
  const queries = asList(graphql.queries);
  for (const name of Object.keys(from))
    if (!queries.some((one) => patternCovers(one, name)))
      report(
        ['graphql', 'ids', 'from', name],
        `no query that the rule names is ${name}; write it under queries`,
      );
  if (asList(at).length > placesMax)
    report(['graphql', 'ids', 'at'], `a rule takes ids from at most ${String(placesMax)} places`);
  for (const one of asList(at))
    if (!/^[_A-Za-z]\w{0,127}(?:\.[_A-Za-z]\w{0,127}){0,15}$/.test(one))
      report(
        ['graphql', 'ids', 'at'],
        `${one} is no place of an id; write names of fields with dots, such as issue.id`,
      );
  for (const key of ['batch', 'persisted', 'subscriptions'] as const)
    if (graphql[key] !== undefined)
      report(['graphql', key], `"${key}" has ids that nobody looks at; write a rule of its own for it`);
  return { from, at: asList(at), text: asList(text) };
}

/** What a client chooses, or a bound, names nothing that could be denied. */
function checkDenial({ deny, graphql }: RuleDocument, report: Report): void {
  if (deny === undefined) return;
  for (const key of ['names', 'depthMax', 'aliasesMax', 'costMax', 'persisted', 'ids'] as const)
    if (graphql?.[key] !== undefined)
      report(
        ['graphql', key],
        `"${key}" bounds what a rule allows; write it in the rule that allows, and remove it here`,
      );
}

function checkPattern(key: (typeof rootKeys)[number] | 'names', pattern: string, report: Report): void {
  if (pattern.length > patternLengthMax)
    report(['graphql', key], `a pattern is at most ${String(patternLengthMax)} characters long`);
  if (key !== 'names' && pattern.startsWith('__'))
    report(['graphql', key], `${pattern} is of the schema itself; write introspection: true`);
}
