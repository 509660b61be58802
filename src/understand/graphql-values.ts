// Values in a document of GraphQL as they are after variables: in the form that JSON has here, so that rules compare both alike.

import type {
  ArgumentNode,
  FieldNode,
  ObjectFieldNode,
  ValueNode,
  VariableDefinitionNode,
} from 'graphql/language/ast.js';
import type { NodeCount } from './graphql-nodes.ts';
import { JsonObject, type JsonValue } from './json-value.ts';
import { numberOf } from './read-json.ts';
import { UnreadableDocument } from './unreadable-document.ts';

/** Arguments by which a field says how many items it gives. */
const pageArguments: ReadonlySet<string> = new Set(['first', 'last']);

/** One for all fields without arguments. */
const noInput = new JsonObject(new Map());

/** The values of one operation: another one may give the same variables other defaults. */
export class GraphqlValues {
  /** Undefined: it is declared, and has no value. */
  readonly #variables = new Map<string, JsonValue | undefined>();

  readonly #nodes: NodeCount;

  constructor(
    definitions: readonly VariableDefinitionNode[],
    given: JsonObject | undefined,
    nodes: NodeCount,
  ) {
    this.#nodes = nodes;
    for (const { variable, defaultValue } of definitions) {
      const name = variable.name.value;
      if (this.#variables.has(name))
        throw new UnreadableDocument('has a document of GraphQL with a variable twice');
      const value = given?.members.get(name);
      const isGiven = value !== undefined || defaultValue === undefined;
      this.#variables.set(name, isGiven ? value : this.#valueOf(defaultValue));
    }
  }

  /** Arguments without those whose variable has no value. */
  inputOf(written: readonly (ArgumentNode | ObjectFieldNode)[]): JsonObject {
    if (written.length === 0) return noInput;
    const found = new Map<string, JsonValue>();
    const names = new Set<string>();
    for (const { name, value } of written) {
      if (names.has(name.value))
        throw new UnreadableDocument('has a document of GraphQL with an argument twice');
      names.add(name.value);
      const known = this.#valueOf(value);
      if (known !== undefined) found.set(name.value, known);
    }
    return new JsonObject(found);
  }

  /** How many items a field gives at most, 1 if it says nothing; infinite if that cannot be told. */
  pageSizeOf({ arguments: written = [] }: FieldNode): number {
    let size = 1;
    for (const { name, value } of written) {
      if (!pageArguments.has(name.value)) continue;
      const count = this.#valueOf(value);
      if (count === undefined || count === null) continue;
      // Below zero some servers give everything.
      const isCount = typeof count === 'number' && Number.isInteger(count) && count >= 0;
      size = Math.max(size, isCount ? count : Infinity);
    }
    return size;
  }

  #valueOf(node: ValueNode): JsonValue | undefined {
    this.#nodes.add();
    switch (node.kind) {
      case 'Variable':
        if (!this.#variables.has(node.name.value))
          throw new UnreadableDocument('has a document of GraphQL with a variable that is not declared');
        return this.#variables.get(node.name.value);
      case 'IntValue':
        return numberOf(node.value, true);
      case 'FloatValue':
        return numberOf(node.value, false);
      case 'StringValue':
      case 'EnumValue':
      case 'BooleanValue':
        return node.value;
      case 'NullValue':
        return null;
      case 'ListValue':
        return node.values.map((value) => this.#valueOf(value) ?? null);
      case 'ObjectValue':
        return this.inputOf(node.fields);
    }
  }
}
