// Selections of a document of GraphQL. Fragments can spread each other so that a short document is an endless one when it is written out:
// nothing is written out here, and each fragment is looked at once for an operation.

import type {
  DirectiveNode,
  FieldNode,
  FragmentDefinitionNode,
  SelectionSetNode,
} from 'graphql/language/ast.js';
import { defaultLimits } from '../protocol/limits.ts';
import type { NodeCount } from './graphql-nodes.ts';
import type { GraphqlValues } from './graphql-values.ts';
import { shownName } from './json-value.ts';
import { UnreadableDocument } from './unreadable-document.ts';

export type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

export interface SelectionSizes {
  readonly depth: number;
  readonly aliases: number;
  readonly cost: number;
}

export interface SelectionScene {
  readonly fragments: Fragments;
  readonly values: GraphqlValues;
  readonly nodes: NodeCount;
  /** Gets fields that are below another one. */
  readonly onInner: (field: FieldNode) => void;
}

const nothing: SelectionSizes = { depth: 0, aliases: 0, cost: 0 };

/** How large a selection is when its fragments are written out. Linear in the document. */
export function measure(selection: SelectionSetNode, scene: SelectionScene): SelectionSizes {
  return new SelectionMeter(scene).measure(selection, 0);
}

class SelectionMeter {
  readonly #scene: SelectionScene;
  /** `undefined`: it is being measured, so that what spreads it now spreads itself. */
  readonly #known = new Map<string, SelectionSizes | undefined>();

  /** Of which it is inside. */
  #fields = 0;

  constructor(scene: SelectionScene) {
    this.#scene = scene;
  }

  measure({ selections }: SelectionSetNode, nesting: number): SelectionSizes {
    const { graphqlNestingMax } = defaultLimits;
    if (nesting > graphqlNestingMax)
      throw new UnreadableDocument(
        'has a document of GraphQL whose fragments go deeper than graphqlNestingMax',
      );
    let { depth, aliases, cost } = nothing;
    for (const one of selections) {
      this.#scene.nodes.add();
      if (one.kind === 'Field' && this.#fields > 0) this.#scene.onInner(one);
      if (one.kind === 'Field') this.#fields += 1;
      const inner =
        one.kind === 'FragmentSpread'
          ? this.#fragment(one.name.value, nesting + 1)
          : one.selectionSet === undefined
            ? nothing
            : this.measure(one.selectionSet, nesting + 1);
      if (one.kind === 'Field') this.#fields -= 1;
      const own = one.kind === 'Field' ? this.#field(one, inner) : inner;
      depth = Math.max(depth, own.depth);
      aliases += own.aliases;
      cost += own.cost;
    }
    return { depth, aliases, cost };
  }

  #field(field: FieldNode, inner: SelectionSizes): SelectionSizes {
    return {
      depth: 1 + inner.depth,
      aliases: (field.alias === undefined ? 0 : 1) + inner.aliases,
      cost: this.#scene.values.pageSizeOf(field) * (1 + inner.cost),
    };
  }

  #fragment(name: string, nesting: number): SelectionSizes {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.has(name))
      throw new UnreadableDocument(`has the fragment ${shownName(name)} that leads to itself`);
    this.#known.set(name, undefined);
    const sizes = this.measure(fragmentOf(name, this.#scene.fragments).selectionSet, nesting);
    this.#known.set(name, sizes);
    return sizes;
  }
}

/** The fields of a selection, those of fragments too, whatever type they are for. Fragments that lead to themselves were refused before. `directives`: gets
 * those of all that is looked at, which `nodes` counts. */
export function rootFields(
  selection: SelectionSetNode,
  fragments: Fragments,
  directives: DirectiveNode[] = [],
  nodes?: NodeCount,
): readonly FieldNode[] {
  const fields: FieldNode[] = [];
  const seen = new Set<string>();
  const waiting = [selection];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const one of next.selections) {
      nodes?.add();
      directives.push(...(one.directives ?? []));
      if (one.kind === 'Field') fields.push(one);
      else if (one.kind === 'InlineFragment') waiting.push(one.selectionSet);
      else if (!seen.has(one.name.value)) {
        seen.add(one.name.value);
        const fragment = fragmentOf(one.name.value, fragments);
        directives.push(...(fragment.directives ?? []));
        waiting.push(fragment.selectionSet);
      }
    }
  }
  return fields;
}

function fragmentOf(name: string, fragments: Fragments): FragmentDefinitionNode {
  const fragment = fragments.get(name);
  if (fragment === undefined)
    throw new UnreadableDocument(`has no fragment ${shownName(name)}, which it spreads`);
  return fragment;
}
