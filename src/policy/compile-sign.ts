// `sign` of a rule as it is written, to what is matched.

import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import type { IdentityPattern, SignCondition, SignedKind } from './sign-condition.ts';
import type { Report } from './yaml-source.ts';

export interface AgentKeyNames {
  readonly logIn: ReadonlySet<string>;
  readonly hashes: ReadonlySet<string>;
}

interface SignContext {
  readonly effect: 'allow' | 'deny';
  /** Names of credentials that sign commits and tags. */
  readonly signingKeys: ReadonlySet<string>;
  /** Names of those of the agent of SSH, for log-ins and for hashes. */
  readonly agentKeys: AgentKeyNames;
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
        `"sign" is about what the gateway signs, which "${key}" says nothing of; remove it, or write two rules`,
      );
  for (const key of Object.keys(document.limits ?? {}))
    if (!limitsBeside.has(key))
      report(['limits', key], `of what is signed requests are counted alone; remove "${key}"`);
  if (effect === 'allow') checkAllow(document, context);
  else if (sign.automatic !== undefined)
    report(['sign', 'automatic'], '"automatic" has no meaning in a rule that denies; remove it');
  if (sign.logIn !== undefined || sign.hashes !== undefined) return agentSigning(sign, report);
  return objectSigning(sign, context);
}

type Sign = NonNullable<RuleDocument['sign']>;

function objectSigning(sign: Sign, { effect, report }: SignContext): SignCondition {
  const objects = asList(sign.objects);
  const kinds: readonly SignedKind[] =
    objects.length > 0 ? [...new Set(objects)] : effect === 'deny' ? ['commit', 'tag'] : ['commit'];
  if (sign.tags !== undefined && !kinds.includes('tag'))
    report(['sign', 'tags'], 'the rule signs no tags; write objects: [commit, tag], or remove "tags"');
  return {
    kind: 'objects',
    objects: kinds,
    committer: patternsOf(sign.committer),
    author: patternsOf(sign.author),
    tags: sign.tags === undefined ? undefined : asList(sign.tags),
    isAutomatic: sign.automatic === true,
  };
}

/** Of a client of the agent of SSH: one purpose a rule, and none beside those of the program that git calls. */
function agentSigning({ logIn, hashes, ...others }: Sign, report: Report): SignCondition {
  for (const key of Object.keys(others))
    report(
      ['sign', key],
      `"${key}" is about commits and tags, and an agent of SSH sees none; remove it, or write two rules`,
    );
  if (logIn === undefined) return { kind: 'hashes' };
  if (hashes !== undefined)
    report(['sign', 'hashes'], 'a rule is for log-ins or for hashes; write two rules, each with its own key');
  return {
    kind: 'log-in',
    server: logIn.server,
    // What stands behind the key is a comment.
    hostKeys: logIn.hostKeys === undefined ? undefined : asList(logIn.hostKeys).map(withoutComment),
    users: logIn.users === undefined ? undefined : asList(logIn.users),
  };
}

function withoutComment(key: string): string {
  return key.split(' ').slice(0, 2).join(' ');
}

interface Needs {
  /** What the rule says. */
  readonly word: 'sign' | 'sign.logIn' | 'sign.hashes';
  readonly kind: string;
  readonly names: ReadonlySet<string>;
}

function needsOf(sign: Sign, { signingKeys, agentKeys }: SignContext): Needs {
  if (sign.logIn !== undefined)
    return { word: 'sign.logIn', kind: 'agent-key with use: log-in', names: agentKeys.logIn };
  if (sign.hashes !== undefined)
    return { word: 'sign.hashes', kind: 'agent-key with use: hashes', names: agentKeys.hashes };
  return { word: 'sign', kind: 'signing-key', names: signingKeys };
}

function checkAllow({ sign, inject }: RuleDocument, context: SignContext): void {
  const { credentials, isNarrowing, report } = context;
  if (sign === undefined) return;
  checkNamed(sign, report);
  if (isNarrowing) return;
  const { word, kind, names: known } = needsOf(sign, context);
  const names = asList(inject);
  const [name] = names;
  if (name === undefined || names.length > 1) {
    report(
      inject === undefined ? ['sign'] : ['inject'],
      `a rule with "${word}" signs with one key; write inject: with the name of a credential of kind ${kind}`,
    );
    return;
  }
  if (credentials?.has(name) === true && !known.has(name))
    report(['inject'], `the credential ${name} is of another kind; "${word}" needs one of kind ${kind}`);
}

/** A rule that allows says for whom. */
function checkNamed({ committer, logIn, hashes }: Sign, report: Report): void {
  if (logIn !== undefined) {
    if (logIn.hostKeys === undefined)
      report(
        ['sign', 'logIn'],
        'the rule does not say which server it is; write hostKeys: with its public key, as known_hosts has it',
      );
    if (logIn.users === undefined)
      report(['sign', 'logIn'], 'the rule does not say as whom; write users: with a name or a list of them');
    return;
  }
  if (hashes === undefined && committer === undefined)
    report(
      ['sign'],
      'the rule does not say who commits; write committer: Build Agent <agent@example.com>, or "* <*>" for anybody',
    );
}

function checkNoSigning({ inject }: RuleDocument, { signingKeys, agentKeys, report }: SignContext): void {
  const ofAgent = (name: string): boolean => agentKeys.logIn.has(name) || agentKeys.hashes.has(name);
  const key = asList(inject).find((name) => signingKeys.has(name) || ofAgent(name));
  if (key !== undefined)
    report(
      ['inject'],
      `the credential ${key} is of kind ${ofAgent(key) ? 'agent-key' : 'signing-key'}, which is put on no request; it goes with "sign"`,
    );
}

function patternsOf(written: string | readonly string[] | undefined): readonly IdentityPattern[] | undefined {
  if (written === undefined) return undefined;
  return asList(written).map((text) => {
    const at = text.lastIndexOf(' <');
    return { name: text.slice(0, at), email: text.slice(at + 2, -1) };
  });
}
