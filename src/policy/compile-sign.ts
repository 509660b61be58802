// `sign` of a rule as it is written, to what is matched.

import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import type { IdentityPattern, SignCondition, SignedKind } from './sign-condition.ts';
import type { Report } from './yaml-source.ts';

interface SignContext {
  readonly effect: 'allow' | 'deny';
  /** Names of credentials that sign commits and tags. */
  readonly signingKeys: ReadonlySet<string>;
  /** Undefined if the credentials are not known here. */
  readonly credentials: ReadonlySet<string> | undefined;
  /** Of a policy that narrows a session: the keys are those of what it is narrowed from. */
  readonly isNarrowing: boolean;
  readonly report: Report;
}

/** The only keys beside it that say something: who, when, how often, and with which key. */
const beside: ReadonlySet<string> = new Set<keyof RuleDocument>([
  'name',
  'description',
  'sign',
  'for',
  'require',
  'expires',
  'deny',
  'inject',
  'limits',
]);
const limitsBeside: ReadonlySet<string> = new Set([
  'requestsPerSecond',
  'requestsPerSession',
  'whenStoreAway',
]);

/** Problems go to `report`; the result is of use only if none was an error. */
export function compileSign(document: RuleDocument, context: SignContext): SignCondition | undefined {
  const { sign } = document;
  const { effect, report } = context;
  if (sign === undefined) {
    checkNoSigning(document, context);
    return undefined;
  }
  for (const key of Object.keys(document))
    if (!beside.has(key))
      report(
        [key],
        `"sign" is about commits and tags, which "${key}" says nothing of; remove it, or write two rules`,
      );
  for (const key of Object.keys(document.limits ?? {}))
    if (!limitsBeside.has(key))
      report(['limits', key], `of what is signed requests are counted alone; remove "${key}"`);
  if (effect === 'allow') checkAllow(document, context);
  else if (sign.automatic !== undefined)
    report(['sign', 'automatic'], '"automatic" has no meaning in a rule that denies; remove it');
  const objects = asList(sign.objects);
  const kinds: readonly SignedKind[] =
    objects.length > 0 ? [...new Set(objects)] : effect === 'deny' ? ['commit', 'tag'] : ['commit'];
  if (sign.tags !== undefined && !kinds.includes('tag'))
    report(['sign', 'tags'], 'the rule signs no tags; write objects: [commit, tag], or remove "tags"');
  return {
    objects: kinds,
    committer: patternsOf(sign.committer),
    author: patternsOf(sign.author),
    tags: sign.tags === undefined ? undefined : asList(sign.tags),
    isAutomatic: sign.automatic === true,
  };
}

function checkAllow(
  { sign, inject }: RuleDocument,
  { signingKeys, credentials, isNarrowing, report }: SignContext,
): void {
  if (sign?.committer === undefined)
    report(
      ['sign'],
      'the rule does not say who commits; write committer: Build Agent <agent@example.com>, or "* <*>" for anybody',
    );
  if (isNarrowing) return;
  const names = asList(inject);
  const [name] = names;
  if (name === undefined || names.length > 1) {
    report(
      inject === undefined ? ['sign'] : ['inject'],
      'a rule with "sign" signs with one key; write inject: with the name of a credential of kind signing-key',
    );
    return;
  }
  if (credentials?.has(name) === true && !signingKeys.has(name))
    report(['inject'], `the credential ${name} is of another kind; "sign" needs one of kind signing-key`);
}

function checkNoSigning({ inject }: RuleDocument, { signingKeys, report }: SignContext): void {
  const key = asList(inject).find((name) => signingKeys.has(name));
  if (key !== undefined)
    report(
      ['inject'],
      `the credential ${key} is of kind signing-key, which is put on no request; it goes with "sign"`,
    );
}

function patternsOf(written: string | readonly string[] | undefined): readonly IdentityPattern[] | undefined {
  if (written === undefined) return undefined;
  return asList(written).map((text) => {
    const at = text.lastIndexOf(' <');
    return { name: text.slice(0, at), email: text.slice(at + 2, -1) };
  });
}
