// Ids that a mutation may have: such as responses of its session had where a rule says that ids of one thing stand.

import type { GraphqlField } from '../understand/graphql-document.ts';
import type { IdPlaces } from '../understand/graphql-ids.ts';
import { InexactNumber, JsonObject, type JsonValue } from '../understand/json-value.ts';
import { isList } from '../understand/write-json.ts';
import { fitsMembers } from './argument-pattern.ts';
import type { ClaimPattern } from './claim-pattern.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';

/** Plain data. */
export interface GraphqlIds {
  /** Fields of the root, with what their arguments must be. */
  readonly from: Readonly<Record<string, Readonly<Record<string, ClaimPattern>>>>;
  /** Names of fields below them, with dots. */
  readonly at: readonly string[];
  /** Arguments that have no ids. */
  readonly text: readonly string[];
}

/** What was learned in a session from one server. `source`: by which rule. */
export interface KnownIds {
  has(source: string, id: string): boolean;
}

/** Rules that say the same of where ids stand share what was learned. */
export function idSourceOf({ from, at }: GraphqlIds): string {
  return JSON.stringify([from, at]);
}

export function idPlacesOf({ from, at }: GraphqlIds): IdPlaces {
  return {
    isRoot: (name, input) => {
      const patterns = Object.hasOwn(from, name) ? from[name] : undefined;
      return patterns !== undefined && fitsMembers(patterns, input, unmeasured, false);
    },
    paths: at.map((place) => place.split('.')),
  };
}

/** Finds the first text or number in the arguments of a field that is neither known nor said to be text; undefined: there is none. */
export function unknownIdFinder(
  ids: GraphqlIds,
  known: KnownIds | undefined,
  work: MatchingWork,
): (field: GraphqlField) => string | undefined {
  const source = idSourceOf(ids);
  const isText = new Set(ids.text);
  const visit = (value: JsonValue, name: string): string | undefined => {
    // What is not looked at any more is not known.
    if (!work.spend(2)) return '';
    if (value instanceof JsonObject) return firstOf(value.members, ([below, one]) => visit(one, below));
    if (isList(value)) return firstOf(value, (one) => visit(one, name));
    if (value === null || typeof value === 'boolean' || isText.has(name)) return undefined;
    const id = value instanceof InexactNumber ? value.text : String(value);
    if (!work.spend(id.length / charactersPerStep)) return '';
    return known?.has(source, id) === true ? undefined : id;
  };
  return ({ input }) => visit(input, '');
}

const charactersPerStep = 8;

function firstOf<T>(items: Iterable<T>, visit: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = visit(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
