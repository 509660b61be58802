// What the operations of a document of GraphQL ask for (specification of September 2025). The package `graphql` parses it; what it could run out of
// memory, stack or time by is bounded before, and fragments are never written out.

import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  OperationDefinitionNode,
} from 'graphql/language/ast.js';
import { defaultLimits } from '../protocol/limits.ts';
import type { GraphqlParser } from './graphql-parser.ts';
import { NodeCount } from './graphql-nodes.ts';
import { GraphqlValues } from './graphql-values.ts';
import { type JsonObject, shownName, UnreadableBody } from './json-value.ts';
import { UnreadableDocument } from './unreadable-document.ts';
import { type Fragments, measure, rootFields } from './graphql-selection.ts';

export type OperationType = 'query' | 'mutation' | 'subscription';

/** A field of the root, by its own name: what it is called in the response is the client's choice. */
export interface GraphqlField {
  readonly name: string;
  /** Its arguments, with the values of variables in them. */
  readonly input: JsonObject;
}

export interface GraphqlOperation {
  readonly type: OperationType;
  /** Empty: it has none. */
  readonly name: string;
  /** Also those that a directive may leave out. */
  readonly fields: readonly GraphqlField[];
  /** Fields below those, with arguments, of all but queries. */
  readonly inner: readonly GraphqlField[];
  /** Fields inside each other. */
  readonly depth: number;
  /** Fields under another name, written out. */
  readonly aliases: number;
  /** Fields, each as often as the pages that it is in have items; infinite if a page does not say. */
  readonly cost: number;
}

export interface ReadDocument {
  readonly operations: readonly GraphqlOperation[];
  /** Or fields, or what is made of them, of all operations, where these are more. */
  readonly tokens: number;
}

export interface DocumentOptions {
  readonly variables: JsonObject | undefined;
  readonly tokensMax: number;
}

/** Linear in the text. What it gives is `UnreadableBody` where two servers could read something different. */
export function readOperations(
  text: string,
  { variables, tokensMax }: DocumentOptions,
  parser: GraphqlParser,
): ReadDocument | UnreadableBody {
  try {
    checkCharacters(text);
    const tokens = countTokens(parser.tokens(text), tokensMax);
    const { operations, fragments } = readDefinitions(parser.parse(text, tokensMax));
    const read: GraphqlOperation[] = [];
    let fields = 0;
    const nodes = new NodeCount(tokensMax);
    for (const operation of operations) {
      // Each operation can spread the same fragments.
      fields += rootFields(operation.selectionSet, fragments).length;
      if (fields > tokensMax)
        throw new UnreadableDocument(
          'has a document of GraphQL whose operations have more than graphqlTokensMax fields',
        );
      read.push(operationOf(operation, { fragments, variables, nodes }));
    }
    return { operations: read, tokens: Math.max(tokens, fields, nodes.count) };
  } catch (error) {
    if (error instanceof UnreadableDocument) return new UnreadableBody(error.message);
    // Of what the parser throws the workload wrote most.
    if (error instanceof Error && error.name === 'GraphQLError')
      return new UnreadableBody('is not a document of GraphQL');
    throw error;
  }
}

/** Marks that some skip and some do not, and ends of lines that only some know: behind one of them a comment would be code. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const oddCharacter = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ufeff]|\r(?!\n)/;

/** Quotes in block strings of which servers take different ones for the end. Clients write a space or a comma between two ordinary strings. */
const oddQuotes = /"{4}|\\"{3}/;

function checkCharacters(text: string): void {
  if (oddCharacter.test(text))
    throw new UnreadableDocument('has a document of GraphQL with a character that servers read in two ways');
  if (oddQuotes.test(text))
    throw new UnreadableDocument('has a document of GraphQL with quotes that servers read in two ways');
  // A comment is no token, and costs as much as some.
  let comments = 0;
  for (let at = text.indexOf('#'); at >= 0; at = text.indexOf('#', at + 1)) {
    comments += 1;
    if (comments > defaultLimits.graphqlTokensMax)
      throw new UnreadableDocument('has a document of GraphQL of more than graphqlTokensMax comments');
  }
}

const opening: ReadonlySet<string> = new Set(['{', '(', '[']);
const closing: ReadonlySet<string> = new Set(['}', ')', ']']);

/** The parser calls itself for each bracket, and knows no bound for it. */
function countTokens(next: () => string, tokensMax: number): number {
  const { graphqlNestingMax } = defaultLimits;
  let [tokens, depth] = [0, 0];
  for (let kind = next(); kind !== '<EOF>'; kind = next()) {
    tokens += 1;
    if (tokens > tokensMax)
      throw new UnreadableDocument('has a document of GraphQL of more than graphqlTokensMax tokens');
    if (opening.has(kind)) depth += 1;
    else if (closing.has(kind)) depth -= 1;
    if (depth > graphqlNestingMax)
      throw new UnreadableDocument(
        'has a document of GraphQL with more brackets inside each other than graphqlNestingMax',
      );
  }
  return tokens;
}

/** What a document defines. @throws UnreadableDocument for what two servers could run differently */
export function readDefinitions({ definitions }: DocumentNode): {
  readonly operations: readonly OperationDefinitionNode[];
  readonly fragments: Fragments;
} {
  const operations: OperationDefinitionNode[] = [];
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions) {
    if (definition.kind === 'OperationDefinition') operations.push(definition);
    else if (definition.kind === 'FragmentDefinition') {
      const { value: name } = definition.name;
      if (fragments.has(name)) throw new UnreadableDocument(`has the fragment ${shownName(name)} twice`);
      fragments.set(name, definition);
    } else throw new UnreadableDocument('has a document of GraphQL that defines types');
  }
  checkOperations(operations);
  return { operations, fragments };
}

function checkOperations(operations: readonly OperationDefinitionNode[]): void {
  const { graphqlOperationsMax: max } = defaultLimits;
  if (operations.length === 0) throw new UnreadableDocument('has a document of GraphQL without an operation');
  if (operations.length > max)
    throw new UnreadableDocument(`has a document of GraphQL with more than ${String(max)} operations`);
  const names = new Set(operations.map(({ name }) => name?.value ?? ''));
  if (names.size < operations.length)
    throw new UnreadableDocument('has two operations of one name in a document of GraphQL');
  if (operations.length > 1 && names.has(''))
    throw new UnreadableDocument('has an operation without a name beside others in a document of GraphQL');
}

interface OperationScene {
  readonly fragments: Fragments;
  readonly variables: JsonObject | undefined;
  readonly nodes: NodeCount;
}

function operationOf(
  operation: OperationDefinitionNode,
  { fragments, variables, nodes }: OperationScene,
): GraphqlOperation {
  const values = new GraphqlValues(operation.variableDefinitions ?? [], variables, nodes);
  const { selectionSet } = operation;
  const fieldOf = (field: FieldNode): GraphqlField => ({
    name: field.name.value,
    input: values.inputOf(field.arguments ?? []),
  });
  const inner: GraphqlField[] = [];
  const onInner = (field: FieldNode): void => {
    if (operation.operation !== 'query' && (field.arguments ?? []).length > 0) inner.push(fieldOf(field));
  };
  return {
    type: operation.operation,
    name: operation.name?.value ?? '',
    // The sizes first: it tells of fragments that lead to themselves.
    ...measure(selectionSet, { fragments, values, nodes, onInner }),
    fields: rootFields(selectionSet, fragments).map(fieldOf),
    inner,
  };
}
