// A person, as an identity provider says: who, and in which groups.

import { ProxyError } from '../../protocol/error.ts';
import { printable } from '../../protocol/printable.ts';
import type { GroupRole } from '../config/oidc-settings.ts';

export interface Person {
  /** `iss` and `sub` together are who it is. */
  readonly issuer: string;
  readonly subject: string;
  readonly groups: readonly string[];
  /** For people to read; they say nothing of who it is. */
  readonly name?: string;
  readonly email?: string;
}

/** OpenID Connect Core 1.0 §2: at the most 255 characters of ASCII. Without control characters, for it stands in the audit. */
const subjectPattern = /^[\x20-\x7e]{1,255}$/;
const shownCharactersMax = 200;

/** Of claims whose signature was checked. @throws ProxyError operator_unknown */
export function personOf(claims: Readonly<Record<string, unknown>>, groupsClaim: string): Person {
  const { iss, sub } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || !subjectPattern.test(sub))
    throw new ProxyError(
      'operator_unknown',
      'the identity provider names nobody that can be written down (sub)',
    );
  return {
    issuer: iss,
    subject: sub,
    groups: groupsOf(Object.hasOwn(claims, groupsClaim) ? claims[groupsClaim] : undefined),
    ...shown('name', claims['name']),
    ...shown('email', claims['email']),
  };
}

/** A list of texts, or one; anything else is no group. */
function groupsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return [...new Set(list.filter((one) => typeof one === 'string'))];
}

function shown<Name extends 'name' | 'email'>(name: Name, value: unknown): Partial<Record<Name, string>> {
  const text =
    typeof value === 'string' ? printable(value).trim().slice(0, shownCharactersMax).toWellFormed() : '';
  // A computed key is typed as any text.
  return text === '' ? {} : ({ [name]: text } as Partial<Record<Name, string>>);
}

/** The first role of the configuration whose group they are in. */
export function roleOfPerson({ groups }: Person, roles: readonly GroupRole[]): GroupRole | undefined {
  const own = new Set(groups);
  return roles.find(({ group }) => own.has(group));
}
