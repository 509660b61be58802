// `requestFields` of a rule and of its file as they are written, to what is matched.

import { fieldKey } from '../http/request-field-table.ts';
import type { PolicyDocument, RuleDocument } from './policy-schema.ts';
import type { RequestFields } from './request-fields.ts';

const asArray = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  // Array.isArray does not narrow a union with a readonly array; the runtime check is the proof.
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

const keys = (names: string | readonly string[] | undefined): ReadonlySet<string> =>
  new Set(asArray(names).map(fieldKey));

/** Undefined for a rule that denies, and for one that bounds no path and no package, gives no credential and says nothing of fields. */
export function compileRequestFields(
  { deny, paths, git, packages, inject, logIn, requestFields }: RuleDocument,
  ofFile: PolicyDocument['requestFields'],
): RequestFields | undefined {
  if (deny !== undefined) return undefined;
  if ([paths, git, packages, inject, logIn, requestFields].every((one) => one === undefined))
    return undefined;
  const isMap = typeof requestFields === 'object' && 'only' in requestFields;
  const only = isMap ? keys(requestFields.only) : undefined;
  return {
    named: only ?? keys(isMap ? undefined : requestFields),
    only,
    removed: keys(ofFile?.removed),
    refused: keys(ofFile?.refused),
  };
}
