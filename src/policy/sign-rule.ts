// Whether a rule is for what is to be signed, and what it says of that in words that can be compared.

import { type GitIdentity, identityText } from '../understand/git-identity.ts';
import type { GitObject } from '../understand/git-object.ts';
import type { RequestAccess } from './decision.ts';
import type { MatchingWork } from './matching-work.ts';
import type {
  AgentSignable,
  IdentityPattern,
  LogInCondition,
  ObjectCondition,
  Signable,
  SignCondition,
} from './sign-condition.ts';
import { matchesSegment } from './star-pattern.ts';

/** What of a rule says whether it is for an object. */
interface SigningRule {
  readonly effect: 'allow' | 'deny';
  readonly sign: SignCondition | undefined;
}

type KeyedRule = SigningRule & { readonly inject: readonly string[] };

/** Whether the rule is for this: rules with `sign` are for nothing else, and a rule that allows without it is for no object. */
export function signMismatch(
  { sign, effect, inject }: KeyedRule,
  { signs }: RequestAccess,
  looksAtHttp: boolean,
  work: MatchingWork,
): 'sign' | undefined {
  if (signs === undefined) return sign === undefined ? undefined : 'sign';
  // Who denies everything denies this; who denies some requests of HTTP does not mean it.
  if (sign === undefined) return effect === 'deny' && !looksAtHttp ? undefined : 'sign';
  const isFor = isOfAgent(signs)
    ? isMeantForAgent(sign, inject, signs)
    : sign.kind === 'objects' && isMeant(sign, effect, signs, work);
  return isFor ? undefined : 'sign';
}

function isOfAgent(signs: Signable): signs is AgentSignable {
  return signs.kind === 'log-in' || signs.kind === 'hash';
}

/** With the key that is asked for: a rule with another one says nothing of it. One without a key denies, or narrows. */
function isMeantForAgent(sign: SignCondition, inject: readonly string[], signs: AgentSignable): boolean {
  if (inject.length > 0 && !inject.some((one) => signs.credentials.includes(one))) return false;
  if (signs.kind === 'hash') return sign.kind === 'hashes';
  return (
    sign.kind === 'log-in' &&
    isAmongTexts(sign.hostKeys, signs.hostKey) &&
    isAmongTexts(sign.users, signs.user)
  );
}

function isAmongTexts(some: readonly string[] | undefined, one: string): boolean {
  return some === undefined || some.includes(one);
}

function isMeant(
  sign: ObjectCondition,
  effect: SigningRule['effect'],
  object: GitObject,
  work: MatchingWork,
): boolean {
  const { objects, committer, author, tags } = sign;
  if (!objects.includes(object.kind)) return false;
  const isAmong = effect === 'allow' ? matchesAny : matchesAnyCase;
  if (!isAmong(committer, object.committer, work)) return false;
  if (object.kind === 'tag')
    return tags === undefined || tags.some((one) => matchesSegment(one, object.tag, work));
  const authors = author ?? (effect === 'allow' ? committer : undefined);
  return isAmong(authors, object.author, work);
}

function matchesAny(
  patterns: readonly IdentityPattern[] | undefined,
  { name, email }: GitIdentity,
  work: MatchingWork,
): boolean {
  return (
    patterns === undefined ||
    patterns.some((one) => matchesSegment(one.name, name, work) && matchesSegment(one.email, email, work))
  );
}

/** For rules that deny: whoever shows who made a commit takes `Ada@Example.com` for `ada@example.com`. */
function matchesAnyCase(
  patterns: readonly IdentityPattern[] | undefined,
  identity: GitIdentity,
  work: MatchingWork,
): boolean {
  return matchesAny(patterns?.map(lowerCased), lowerCased(identity), work);
}

function lowerCased({ name, email }: GitIdentity): GitIdentity {
  return { name: name.toLowerCase(), email: email.toLowerCase() };
}

export function signText(sign: SignCondition): string {
  switch (sign.kind) {
    case 'objects':
      return objectsText(sign);
    case 'log-in':
      return logInText(sign);
    case 'hashes':
      return 'hashes for git';
  }
}

function logInText({ server, users, hostKeys }: LogInCondition): string {
  const who = users === undefined ? 'anybody' : users.join(', ');
  return `log-ins at ${server} as ${who}${hostKeys === undefined ? '' : `; host keys ${hostKeys.join(', ')}`}`;
}

function objectsText({ objects, committer, author, tags, isAutomatic }: ObjectCondition): string {
  const who = (some: readonly IdentityPattern[]): string => some.map(identityText).join(', ');
  return [
    objects.join(', '),
    ...(committer === undefined ? [] : [`committer ${who(committer)}`]),
    ...(author === undefined ? [] : [`author ${who(author)}`]),
    ...(tags === undefined ? [] : [`tags ${tags.join(', ')}`]),
    ...(isAutomatic ? ['automatic'] : []),
  ].join('; ');
}

/** Whether all that `inner` is for, `outer` is for too. Patterns are compared as they are written. */
export function signCovers(
  { sign: outer, effect }: SigningRule,
  { sign: inner }: Pick<SigningRule, 'sign'>,
): boolean {
  // Without it a rule that denies everything denies this too; one that allows is for requests of HTTP.
  if (outer === undefined || inner === undefined)
    return outer === inner || (outer === undefined && effect === 'deny');
  if (outer.kind === 'log-in')
    return (
      inner.kind === 'log-in' &&
      coversTexts(outer.hostKeys, inner.hostKeys) &&
      coversTexts(outer.users, inner.users)
    );
  if (outer.kind === 'hashes' || inner.kind !== 'objects') return outer.kind === inner.kind;
  const committers = authorsOf(outer, 'committer');
  return (
    inner.objects.every((one) => outer.objects.includes(one)) &&
    coversIdentities(committers, authorsOf(inner, 'committer')) &&
    coversIdentities(authorsOf(outer, 'author', effect), authorsOf(inner, 'author', effect)) &&
    (outer.tags === undefined || inner.tags?.every((one) => outer.tags?.includes(one) === true) === true)
  );
}

function coversTexts(outer: readonly string[] | undefined, inner: readonly string[] | undefined): boolean {
  return outer === undefined || inner?.every((one) => outer.includes(one)) === true;
}

function authorsOf(
  { committer, author }: ObjectCondition,
  key: 'committer' | 'author',
  effect: SigningRule['effect'] = 'deny',
): readonly IdentityPattern[] | undefined {
  if (key === 'committer') return committer;
  return author ?? (effect === 'allow' ? committer : undefined);
}

function coversIdentities(
  outer: readonly IdentityPattern[] | undefined,
  inner: readonly IdentityPattern[] | undefined,
): boolean {
  if (outer === undefined) return true;
  return (
    inner?.every((one) =>
      outer.some(
        ({ name, email }) => (name === '*' || name === one.name) && (email === '*' || email === one.email),
      ),
    ) === true
  );
}

/** In the words of a denial. */
export function signedText(object: Signable): string {
  if (object.kind === 'hash') return 'a hash for git';
  if (object.kind === 'log-in') return `a log-in as ${object.user} at a server of SSH`;
  const committer = identityText(object.committer);
  if (object.kind === 'tag') return `the tag ${object.tag} of ${committer}`;
  return `a commit of ${identityText(object.author)}, committed by ${committer}`;
}
