// Ids in the response to a query, at places of the graph that an operator names: `repository(owner: acme) → issue → id`. What a place is called in the
// response is the client's choice, so the query says which member of it is which field.

import type { DirectiveNode, DocumentNode, FieldNode, SelectionSetNode } from 'graphql/language/ast.js';
import { defaultLimits } from '../protocol/limits.ts';
import { readDefinitions } from './graphql-document.ts';
import type { GraphqlParser } from './graphql-parser.ts';
import { type Fragments, rootFields } from './graphql-selection.ts';
import { NodeCount } from './graphql-nodes.ts';
import { GraphqlValues } from './graphql-values.ts';
import { InexactNumber, JsonObject, type JsonValue } from './json-value.ts';
import { UnreadableDocument } from './unreadable-document.ts';
import { isList } from './write-json.ts';

/** Where ids stand: below a field of the root that has such arguments, names of fields with the one of the id last. */
export interface IdPlaces {
  readonly isRoot: (name: string, input: JsonObject) => boolean;
  readonly paths: readonly (readonly string[])[];
}

export interface AskedQuery {
  readonly text: string;
  readonly variables: JsonObject | undefined;
}

/** What of a response to read: by the names of its members, those below them, or an id. */
interface Plan {
  readonly members: ReadonlyMap<string, Plan>;
  readonly isId: boolean;
}

/**
 * Ids of each of the places in the response to a query that was read before. None where it could be something else: a member that is another field of another type, a
 * directive that servers know and this does not. Linear in the query and the response.
 */
export function idsIn(
  response: JsonValue,
  query: AskedQuery,
  sources: readonly IdPlaces[],
  parser: GraphqlParser,
): readonly (readonly string[])[] {
  const document = parser.parse(query.text, defaultLimits.graphqlTokensMax);
  return sources.map((places) => idsAt(response, boundedPlan(document, query, places)));
}

function idsAt(response: JsonValue, plan: Plan | undefined): readonly string[] {
  const data = response instanceof JsonObject ? response.members.get('data') : undefined;
  const found = new Set<string>();
  if (plan !== undefined && data !== undefined) collect(data, plan, found);
  return [...found];
}

function collect(value: JsonValue, plan: Plan, found: Set<string>): void {
  if (found.size >= defaultLimits.learnedIdsPerSessionMax) return;
  if (isList(value)) {
    for (const item of value) collect(item, plan, found);
    return;
  }
  // A number as rules ask for it: by its text.
  if (plan.isId && (typeof value === 'string' || typeof value === 'number')) found.add(String(value));
  if (plan.isId && value instanceof InexactNumber) found.add(value.text);
  if (!(value instanceof JsonObject)) return;
  // Whichever is shorter: a response can have many short objects, and a query many names.
  if (value.members.size < plan.members.size) {
    for (const [name, member] of value.members) {
      const below = plan.members.get(name);
      if (below !== undefined) collect(member, below, found);
    }
    return;
  }
  for (const [name, below] of plan.members) {
    const member = value.members.get(name);
    if (member !== undefined) collect(member, below, found);
  }
}

/** A query that comes to more than is looked at tells nothing. */
function boundedPlan(document: DocumentNode, query: AskedQuery, places: IdPlaces): Plan | undefined {
  try {
    return planOf(document, query, places);
  } catch (error) {
    if (error instanceof UnreadableDocument) return undefined;
    throw error;
  }
}

/** Undefined: nothing can be said of the response. */
function planOf(document: DocumentNode, query: AskedQuery, { isRoot, paths }: IdPlaces): Plan | undefined {
  const { operations, fragments } = readDefinitions(document);
  const [operation, ...others] = operations;
  if (operation === undefined || others.length > 0 || operation.operation !== 'query') return undefined;
  const nodes = new NodeCount(defaultLimits.graphqlTokensMax);
  const values = new GraphqlValues(operation.variableDefinitions ?? [], query.variables, nodes);
  const isOfRoot = (field: FieldNode): boolean =>
    isRoot(field.name.value, values.inputOf(field.arguments ?? []));
  const planner = new Planner(fragments, nodes);
  const selections = planner.fieldsOf([operation.selectionSet]);
  const members = new Map<string, Plan>();
  for (const [name, fields] of selections) {
    if (!fields.every(isOfRoot)) continue;
    members.set(name, planner.below(fields, paths));
  }
  const isPlain = (operation.directives ?? []).every(isKnown) && planner.isPlain;
  return isPlain ? { members, isId: false } : undefined;
}

/** Directives that leave a field out, and change nothing of it. */
function isKnown({ name }: DirectiveNode): boolean {
  return name.value === 'skip' || name.value === 'include';
}

class Planner {
  readonly #fragments: Fragments;
  /** With fragments written out: those that share them could be endless. */
  readonly #nodes: NodeCount;
  #isPlain = true;

  constructor(fragments: Fragments, nodes: NodeCount) {
    this.#fragments = fragments;
    this.#nodes = nodes;
  }

  /** What was looked at has no directive that could change it. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Fields by their names in the response, for whatever type they are. */
  fieldsOf(selections: readonly SelectionSetNode[]): ReadonlyMap<string, readonly FieldNode[]> {
    const found = new Map<string, FieldNode[]>();
    const directives: DirectiveNode[] = [];
    const fields = selections.flatMap((one) => rootFields(one, this.#fragments, directives, this.#nodes));
    for (const field of fields) {
      const name = field.alias?.value ?? field.name.value;
      const alike = found.get(name);
      if (alike === undefined) found.set(name, [field]);
      else alike.push(field);
    }
    this.#isPlain &&= directives.every(isKnown);
    return found;
  }

  below(fields: readonly FieldNode[], paths: readonly (readonly string[])[]): Plan {
    const deeper = paths.filter((path) => path.length > 0);
    const isId = deeper.length < paths.length;
    const members = new Map<string, Plan>();
    const selections = fields.flatMap(({ selectionSet }) =>
      selectionSet === undefined ? [] : [selectionSet],
    );
    if (deeper.length === 0 || !this.isPlain) return { members, isId };
    for (const [name, alike] of this.fieldsOf(selections)) {
      const field = alike[0]?.name.value;
      // One name for different fields: which one it is depends on a type that nobody here knows.
      if (!alike.every((one) => one.name.value === field)) continue;
      const rest = deeper.filter(([next]) => next === field).map((path) => path.slice(1));
      if (rest.length > 0) members.set(name, this.below(alike, rest));
    }
    return { members, isId };
  }
}
