// Which request fields a rule lets through: all but those that say who asks, which are removed, and those that change what
// is asked, which are refused unless the rule names them.

import { changingWhat, fieldKey, namingAnother, tellingWho } from '../http/request-field-table.ts';
import { otherResource } from './copy-source.ts';
import type { RequestAccess } from './decision.ts';

/** What a rule says of fields; keys as `fieldKey` makes them. */
export interface RequestFields {
  /** Fields that change what is asked and are let through. */
  readonly named: ReadonlySet<string>;
  /** The only fields that are let through, beside those of every client. */
  readonly only: ReadonlySet<string> | undefined;
  /** What the operator adds to the tables. */
  readonly removed: ReadonlySet<string>;
  readonly refused: ReadonlySet<string>;
}

/** Fields without which next to no client asks, in a rule that names the only ones. */
const ofEveryClient: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'content-encoding',
  'content-language',
  'content-type',
  'user-agent',
  'via',
]);

export interface JudgedFields {
  /** Why the request is refused, and for which field. */
  readonly refusal: FieldRefusal | undefined;
  /** Names of fields that do not go on. */
  readonly removed: readonly string[];
  /** What the request does beside what its path says. */
  readonly others: readonly OtherResource[];
}

export interface FieldRefusal {
  readonly field: string;
  readonly reason: string;
}

/** Requests that stand for one thing, which a field names. */
export interface OtherResource {
  readonly field: string;
  readonly requests: readonly RequestAccess[];
}

export function judgeFields(rules: RequestFields, access: RequestAccess): JudgedFields {
  const removed: string[] = [];
  const others: OtherResource[] = [];
  for (const [name, value] of access.headers) {
    const key = fieldKey(name);
    if (rules.named.has(key)) {
      const other = namingAnother.get(key);
      if (other === undefined) continue;
      const requests = otherResource(value, other, access);
      if (requests === undefined)
        return refusedBy(name, 'names a resource in a form that is not known for this host');
      others.push({ field: fieldShown(name), requests });
    } else if (rules.refused.has(key) || changingWhat.has(key)) {
      return refusedBy(name, 'changes what is asked, and the rule does not name it in requestFields');
    } else if (rules.removed.has(key) || tellingWho.has(key)) {
      removed.push(name.toLowerCase());
    } else if (rules.only !== undefined && !ofEveryClient.has(key)) {
      return refusedBy(name, 'is none of the fields that the rule lets through (requestFields.only)');
    }
  }
  return { refusal: undefined, removed, others };
}

function refusedBy(name: string, why: string): JudgedFields {
  const field = fieldShown(name);
  return { refusal: { field, reason: `The field ${field} ${why}` }, removed: [], others: [] };
}

const fieldShown = (name: string): string => name.slice(0, 64);
