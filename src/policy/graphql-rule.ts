// `graphql` of a rule: which operations a server of GraphQL may be asked for, by the fields of their root, and how large they may be.

import type { GraphqlField, GraphqlOperation, OperationType } from '../understand/graphql-document.ts';
import type { GraphqlAsked, GraphqlRequest } from '../understand/graphql-request.ts';
import { isGraphqlSocketProtocol } from '../understand/graphql-socket.ts';
import { UnreadableBody } from '../understand/json-value.ts';
import { fitsMembers, matchesAnyCase, matchesText, patternCovers } from './argument-pattern.ts';
import type { ClaimPattern } from './claim-pattern.ts';
import type { AccessRequest, RequestAccess } from './decision.ts';
import { type GraphqlIds, unknownIdFinder } from './graphql-ids.ts';
import { MatchingWork, unmeasured } from './matching-work.ts';

/** Keys with fields of the root. */
export const rootKeys = ['queries', 'mutations', 'subscriptions'] as const;
type RootKey = (typeof rootKeys)[number];

/** Plain data. An empty list: nothing of that kind. */
export interface GraphqlCondition {
  readonly queries: readonly string[];
  readonly mutations: readonly string[];
  readonly subscriptions: readonly string[];
  /** What arguments must be, by the field. */
  readonly input: Readonly<Record<string, Readonly<Record<string, ClaimPattern>>>> | undefined;
  readonly introspection: boolean;
  readonly names: readonly string[] | undefined;
  readonly depthMax: number | undefined;
  readonly aliasesMax: number | undefined;
  readonly costMax: number | undefined;
  readonly batch: boolean;
  readonly uploads: boolean;
  /** They may come on a WebSocket. */
  readonly webSocket: boolean;
  /** Documents of the server that may be asked for by their id. */
  readonly persisted: readonly string[];
  /** Which ids mutations may have; undefined: any. */
  readonly ids: GraphqlIds | undefined;
}

/** `no-graphql`: it has no operations that all servers read alike. `unread-graphql`: nobody has read them yet. */
export type GraphqlMismatch = 'graphql' | 'no-graphql' | 'unread-graphql';

type Effect = 'allow' | 'deny';

/**
 * A rule that allows takes a request if it names all that is asked for in it. Until that is read it matches, and is asked again. One that
 * denies takes a request of which it names anything, in any letter case, and every request that cannot be read.
 */
export function graphqlMismatch(
  rule: GraphqlCondition,
  effect: Effect,
  access: RequestAccess,
  work: MatchingWork = unmeasured,
): GraphqlMismatch | undefined {
  const { graphql, body, method } = access;
  // One that denies is asked again about each operation.
  if (opensGraphqlSocket(access) && (rule.webSocket || effect === 'deny'))
    return rule.webSocket ? undefined : 'graphql';
  if (graphql === undefined) return effect === 'deny' ? 'unread-graphql' : undefined;
  if (graphql instanceof UnreadableBody) return effect === 'deny' ? undefined : 'no-graphql';
  if (effect === 'deny') return isMeant(rule, graphql, work) ? undefined : 'graphql';
  const isItsWay =
    access.ofWebSocket === true ? rule.webSocket : method === (body?.kind === 'none' ? 'GET' : 'POST');
  const isNamed = isItsWay && isAllowed(rule, graphql, work);
  return isNamed && unknownId(rule, access, work) === undefined ? undefined : 'graphql';
}

/** Whether a request opens a WebSocket on which nothing is spoken but GraphQL, in a way that is read. */
export function opensGraphqlSocket({ body, query }: RequestAccess): boolean {
  if (body?.kind !== 'unreadable' || body.webSocket === undefined || asksInUrl(query)) return false;
  return body.webSocket.length > 0 && body.webSocket.every(isGraphqlSocketProtocol);
}

/** An origin that does not switch would respond to the operation of the URL, which nobody judged. */
function asksInUrl(query: string): boolean {
  // Some servers take a semicolon between parameters, and leave out every question mark at the beginning.
  return query.split(/[?&;]/).some((one) => {
    const [name = ''] = one.split('=', 1);
    // A name that is encoded, or has brackets or dots, could be any of them.
    return /[%+.[\]]/.test(name) || graphqlParameters.has(name.toLowerCase());
  });
}

const graphqlParameters: ReadonlySet<string> = new Set([
  'query',
  'variables',
  'operationname',
  'extensions',
  'documentid',
  'id',
  'doc_id',
  'queryid',
  'hash',
]);

/** The first id of a mutation that the rule does not know; undefined: there is none. */
function unknownId(
  { ids }: GraphqlCondition,
  { graphql, knownIds }: RequestAccess,
  work: MatchingWork,
): string | undefined {
  if (ids === undefined || graphql === undefined || graphql instanceof UnreadableBody) return undefined;
  const unknownIn = unknownIdFinder(ids, knownIds, work);
  for (const one of graphql.asked) {
    if (one.kind === 'kept') continue;
    for (const { type, fields, inner } of one.operations) {
      if (type === 'query') continue;
      // Below its root a mutation can change something too.
      for (const field of [...fields, ...inner]) {
        const id = unknownIn(field);
        if (id !== undefined) return id;
      }
    }
  }
  return undefined;
}

/** Whether a rule has to be asked again with the operations of a request. */
export function awaitsGraphql(rule: GraphqlCondition | undefined, access: AccessRequest): boolean {
  if (rule === undefined || access.depth === 'connect') return false;
  return access.graphql === undefined && !(rule.webSocket && opensGraphqlSocket(access));
}

const keyOf: Readonly<Record<OperationType, RootKey>> = {
  query: 'queries',
  mutation: 'mutations',
  subscription: 'subscriptions',
};

/** Fields about the schema, and one that says the name of a type, which clients ask for by themselves. */
const schemaFields: ReadonlySet<string> = new Set(['__schema', '__type']);
const typeField = '__typename';

function isAllowed(
  rule: GraphqlCondition,
  { asked, isBatch, hasFiles }: GraphqlRequest,
  work: MatchingWork,
): boolean {
  if ((isBatch && !rule.batch) || (hasFiles && !rule.uploads)) return false;
  return asked.every((one) =>
    one.kind === 'kept'
      ? rule.persisted.includes(one.id)
      : one.operations.every((operation) => isAllowedOperation(rule, operation, work)),
  );
}

function isAllowedOperation(
  rule: GraphqlCondition,
  operation: GraphqlOperation,
  work: MatchingWork,
): boolean {
  const { type, name, fields, depth, aliases, cost } = operation;
  const { names, depthMax = Infinity, aliasesMax = Infinity, costMax = Infinity } = rule;
  // A cost that nobody knows is above every bound, but not above none.
  if (depth > depthMax || aliases > aliasesMax || cost > costMax) return false;
  if (names?.some((one) => matchesText(one, name, work)) === false) return false;
  const patterns = rule[keyOf[type]];
  const hasSchema = type === 'query' && rule.introspection;
  if (patterns.length === 0 && !hasSchema) return false;
  return fields.every((field) => {
    if (field.name === typeField) return work.spend(1);
    if (schemaFields.has(field.name)) return hasSchema && work.spend(1);
    return patterns.some((one) => matchesText(one, field.name, work)) && fitsInput(rule, field, work);
  });
}

function fitsInput({ input }: GraphqlCondition, field: GraphqlField, work: MatchingWork): boolean {
  const patterns = input !== undefined && Object.hasOwn(input, field.name) ? input[field.name] : undefined;
  return patterns === undefined || fitsMembers(patterns, field.input, work, false);
}

function isMeant(
  rule: GraphqlCondition,
  { asked, isBatch, hasFiles }: GraphqlRequest,
  work: MatchingWork,
): boolean {
  if ((isBatch && rule.batch) || (hasFiles && rule.uploads)) return true;
  const inputs = inputsOf(rule);
  // What the server keeps under a name could be anything.
  return asked.some(
    (one) =>
      one.kind === 'kept' ||
      one.operations.some((operation) => isMeantOperation(rule, operation, inputs, work)),
  );
}

function isMeantOperation(
  rule: GraphqlCondition,
  { type, fields }: GraphqlOperation,
  inputs: Inputs,
  work: MatchingWork,
): boolean {
  const patterns = rule[keyOf[type]];
  return fields.some((field) => {
    if (rule.introspection && schemaFields.has(field.name)) return true;
    return patterns.some((one) => matchesAnyCase(one, field.name, work)) && isMeantInput(inputs, field, work);
  });
}

/** What arguments must be, by the field in lower case. */
type Inputs = ReadonlyMap<string, readonly Readonly<Record<string, ClaimPattern>>[]>;

function inputsOf({ input = {} }: GraphqlCondition): Inputs {
  const found = new Map<string, Readonly<Record<string, ClaimPattern>>[]>();
  for (const [name, patterns] of Object.entries(input)) {
    const key = name.toLowerCase();
    const alike = found.get(key);
    if (alike === undefined) found.set(key, [patterns]);
    else alike.push(patterns);
  }
  return found;
}

function isMeantInput(inputs: Inputs, field: GraphqlField, work: MatchingWork): boolean {
  const found = inputs.get(field.name.toLowerCase());
  return found === undefined || found.some((patterns) => fitsMembers(patterns, field.input, work, true));
}

/** What is written, for people. */
export function graphqlText(rule: GraphqlCondition): string {
  const parts = (['queries', 'mutations', 'subscriptions', 'names', 'persisted'] as const).flatMap((key) => {
    const list = rule[key] ?? [];
    return list.length === 0 ? [] : [`${key} ${list.join(', ')}`];
  });
  if (rule.input !== undefined) parts.push(`arguments ${JSON.stringify(rule.input)}`);
  for (const key of ['introspection', 'batch', 'uploads', 'webSocket'] as const)
    if (rule[key]) parts.push(key);
  if (rule.ids !== undefined) parts.push(`ids ${JSON.stringify(rule.ids)}`);
  for (const key of ['depthMax', 'aliasesMax', 'costMax'] as const)
    if (rule[key] !== undefined) parts.push(`${key} ${String(rule[key])}`);
  return parts.join('; ');
}

/** Whether everything that `inner` matches is known to be matched by `outer`. */
export function graphqlCovers(
  outer: GraphqlCondition | undefined,
  inner: GraphqlCondition | undefined,
): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const covers = (of: readonly string[], by: readonly string[]): boolean =>
    of.every((one) => by.some((other) => patternCovers(other, one)));
  const isBound = (key: 'depthMax' | 'aliasesMax' | 'costMax'): boolean =>
    outer[key] === undefined || (inner[key] !== undefined && inner[key] <= outer[key]);
  return (
    rootKeys.every((key) => covers(inner[key], outer[key])) &&
    (outer.names === undefined || (inner.names !== undefined && covers(inner.names, outer.names))) &&
    inner.persisted.every((one) => outer.persisted.includes(one)) &&
    (outer.input === undefined || JSON.stringify(outer.input) === JSON.stringify(inner.input)) &&
    (outer.ids === undefined || JSON.stringify(outer.ids) === JSON.stringify(inner.ids)) &&
    (outer.introspection || !inner.introspection) &&
    (outer.batch || !inner.batch) &&
    (outer.uploads || !inner.uploads) &&
    (outer.webSocket || !inner.webSocket) &&
    isBound('depthMax') &&
    isBound('aliasesMax') &&
    isBound('costMax')
  );
}

/** How many are shown of what a workload can make many of. */
const shownMax = 8;

/** `the mutation deleteRef`, `the query viewer, repository`; a workload wrote the names. */
export function operationsText({ asked }: GraphqlRequest): string {
  const shown = asked.flatMap(askedTexts);
  const rest = shown.length > shownMax ? [`${String(shown.length - shownMax)} more`] : [];
  return [...shown.slice(0, shownMax), ...rest].join(' and ');
}

function askedTexts(asked: GraphqlAsked): readonly string[] {
  if (asked.kind === 'kept') return [`the document ${asked.id.slice(0, 100)} of the server`];
  return asked.operations.map(({ type, fields }) => {
    const names = [...new Set(fields.map(({ name }) => name.slice(0, 100)))];
    return `the ${type} ${names.slice(0, shownMax).join(', ')}${names.length > shownMax ? ', …' : ''}`;
  });
}

/** `closeness`: how much of what is asked for the rule would allow; 0: nothing of its kind. */
interface GraphqlRemedy {
  readonly text: string;
  readonly closeness: number;
}

/** To find the id that is not known: it stands among the first that are looked at. */
const remedySteps = 10_000;

/** Why a rule that allows would not: the bound that is exceeded, or what it is for. */
export function graphqlRemedy(
  name: string,
  rule: GraphqlCondition,
  access: RequestAccess & { readonly graphql: GraphqlRequest },
): GraphqlRemedy {
  const { graphql } = access;
  const operations = graphql.asked.flatMap((one) => (one.kind === 'document' ? one.operations : []));
  const over = (['depth', 'aliases', 'cost'] as const).flatMap((size) => {
    const [max, most] = [rule[`${size}Max`], Math.max(0, ...operations.map((one) => one[size]))];
    const shown =
      most === Infinity ? `${size} that its variables do not bound` : `${size} of ${String(most)}`;
    return max === undefined || most <= max ? [] : [`a ${shown} (${size}Max ${String(max)})`];
  });
  const sizes = over.length === 0 ? '' : ` This has ${over.join(' and ')}.`;
  const work = new MatchingWork(remedySteps);
  const id = isAllowed(rule, graphql, work) ? unknownId(rule, access, work) : undefined;
  const unknown =
    id === undefined || work.isSpent
      ? ''
      : ` No response of this session had ${JSON.stringify(id.slice(0, 100))} where that rule takes ids from; ask for it first.`;
  const text = `The rule ${name} allows this server for: ${graphqlText(rule)}.${sizes}${unknown}`;
  const isOfType = operations.some(({ type }) => rule[keyOf[type]].length > 0);
  return { text, closeness: unknown !== '' ? 3 : !isOfType ? 0 : sizes === '' ? 1 : 2 };
}
