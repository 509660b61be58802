// Why a policy decides as it does, whether it is one or several that bound sessions are judged by.

import { BoundPolicies } from '../../policy/bound-policies.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Policy, Principal } from '../../policy/decision.ts';
import { type CredentialConfig, whereOf } from '../credentials/credential-kinds.ts';
import { bodyText, describeAccess } from '../../policy/denial.ts';
import { effectWord, explain, type ExplanationQuestion, type ExplanationStep } from '../../policy/explain.ts';

export interface PolicyExplanation {
  readonly decision: Decision;
  /** `policy`: which published policy the rule is of. */
  readonly steps: readonly (ExplanationStep & { readonly policy?: string })[];
  /** What the body was read as, where there is one. */
  readonly body: string | undefined;
  /** What would be put on, in the order of the rule. */
  readonly credentials: readonly ExplainedCredential[];
  /** Why the gateway refuses what the policy allows: the session has no right to a credential of the rule. */
  readonly refused: string | undefined;
  /** All of it for a terminal. */
  readonly text: string;
}

export interface ExplainedCredential {
  readonly credential: string;
  /** Undefined: the configuration that knows it is not here. */
  readonly kind?: string;
  readonly where?: string;
  readonly isGranted: boolean;
}

/** The credentials of the configuration, and which of them the token of a session lets it have. */
export interface KnownCredentials {
  readonly configs: Readonly<Record<string, CredentialConfig>>;
  readonly isGranted: (credential: string) => boolean;
}

/** `deciding` is asked, of a session that another one made by all that it was narrowed by too; `base` has the rules that are shown beside it. */
export function explainPolicy(
  deciding: Policy,
  base: Policy,
  question: ExplanationQuestion & { readonly known?: KnownCredentials },
): PolicyExplanation {
  const { principal, access, nowMs } = question;
  const decision = deciding.decide(principal, access, nowMs);
  const parts = [...partsOf(base, principal), ...narrowingsOf(principal)].map(({ name, policy }) => ({
    name,
    explanation: explain(policy, question),
  }));
  const steps = parts.flatMap(({ name, explanation }) =>
    explanation.steps.map((step) => (name === undefined ? step : Object.assign({}, step, { policy: name }))),
  );
  const texts = parts.map(({ name, explanation: { text } }) =>
    name === undefined ? text : `policy ${name}:\n${text}`,
  );
  const [first] = parts;
  // What no part alone says: a grant, a ceiling with a policy below it, what a session was narrowed by, or that none is bound.
  const isOfOne =
    parts.length === 1 && first?.name === undefined && isSame(first?.explanation.decision, decision);
  const head = isOfOne ? [] : [headOf(decision, access)];
  const credentials = credentialsOf(decision, question.known);
  const missing = credentials.find(({ isGranted }) => !isGranted);
  const refused =
    missing === undefined
      ? undefined
      : `the token of the session does not name the credential ${missing.credential} (credential_not_granted)`;
  const told = credentialLines(credentials, refused);
  return {
    decision,
    steps,
    body: bodyText(access),
    credentials,
    refused,
    text: [...head, ...texts].join('\n') + told.map((line) => `${line}\n`).join(''),
  };
}

function credentialsOf(decision: Decision, known?: KnownCredentials): readonly ExplainedCredential[] {
  if (decision.effect === 'deny' || known === undefined) return [];
  return decision.inject.map(({ credential }) => {
    const config = Object.hasOwn(known.configs, credential) ? known.configs[credential] : undefined;
    const isGranted = known.isGranted(credential);
    if (config === undefined) return { credential, isGranted };
    return { credential, kind: config.kind, where: whereOf(config), isGranted };
  });
}

function credentialLines(
  credentials: readonly ExplainedCredential[],
  refused: string | undefined,
): readonly string[] {
  const lines = credentials.flatMap(({ credential, kind, where }) =>
    kind === undefined || where === undefined ? [] : [`    ${credential} (${kind}): ${where}`],
  );
  return [
    ...(lines.length === 0 ? [] : ['  where its credentials go:', ...lines]),
    ...(refused === undefined ? [] : [`  refused all the same: ${refused}`]),
  ];
}

/** The policies with rules that a session is judged by. */
function partsOf(
  policy: Policy,
  principal: Principal,
): readonly { readonly name?: string; readonly policy: CompiledPolicy }[] {
  if (policy instanceof CompiledPolicy) return [{ policy }];
  return policy instanceof BoundPolicies ? policy.policiesFor(principal) : [];
}

/** Those by which it was narrowed, as far as they are known. */
function narrowingsOf({ narrowed }: Principal): ReturnType<typeof partsOf> {
  const steps = narrowed?.steps ?? [];
  return steps.flatMap(({ sessionId, policy }) =>
    policy instanceof CompiledPolicy ? [{ name: `of session ${sessionId}`, policy }] : [],
  );
}

function isSame(one: Decision | undefined, other: Decision): boolean {
  return one?.effect === other.effect && one.rule.name === other.rule.name;
}

function headOf(decision: Decision, access: AccessRequest): string {
  const { rule } = decision;
  const whose = rule.policy === undefined ? '' : `, of the policy ${rule.policy}`;
  const lines = [`${effectWord(decision)} ${describeAccess(access)}`, `  decided by: ${rule.name}${whose}`];
  if (decision.effect === 'deny')
    lines.push(`  workload is told: ${decision.reason}`, `  operator is told: ${decision.operatorReason}`);
  return `${lines.join('\n')}\n`;
}
