// A request of a session to the gateway itself to sign a commit or a tag: read, judged by the rules, and signed by the key of the rule that allows
// it. Nothing else is signed with such a key, and nothing of what is signed is kept but who made it.

import type { RequestHead } from '../../http/message-head.ts';
import type { AllowDecision, Principal } from '../../policy/decision.ts';
import { accessHost, signPath } from '../../policy/granted-policy.ts';
import { signingAccess } from '../../policy/signing-access.ts';
import { ProxyError } from '../../protocol/error.ts';
import { identityText } from '../../understand/git-identity.ts';
import { type GitObject, readGitObject } from '../../understand/git-object.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import { confirmDecision, denied } from './confirm-decision.ts';
import type { DoctorResponse } from './doctor-response.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { requireGranted } from './granted-credentials.ts';
import { accountsOf, spendFor } from './spending-accounts.ts';

export interface SigningExchange {
  readonly head: RequestHead;
  readonly principal: Principal;
  readonly record: ExchangeRecord;
  readonly parts: Pick<ExchangeParts, 'policy' | 'clock' | 'credentials' | 'budgets'>;
}

/** The only purpose (`ssh-keygen -n`) that signatures are made for. */
const namespaceQuery = 'namespace=git';

/** The signature as git wants it. @throws ProxyError object_unsignable, policy_denied, limit_exceeded, credential_unavailable */
export async function signObject(
  { head, principal, record, parts }: SigningExchange,
  body: Uint8Array,
): Promise<DoctorResponse> {
  if (head.method !== 'POST' || head.query.replace(/^\?/, '') !== namespaceQuery)
    throw new ProxyError(
      'object_unsignable',
      `This is not signed: the gateway signs for git alone. POST http://${accessHost}${signPath}?${namespaceQuery} with a commit or a tag.`,
    );
  const object = readGitObject(body);
  if (typeof object === 'string')
    throw new ProxyError(
      'object_unsignable',
      `This is not signed: ${object}. The gateway signs commits and tags alone, as git writes them.`,
    );
  const facts = factsOf(object);
  record.noted({ signature: facts });
  const access = signingAccess(object);
  const basis = { policy: parts.policy(), atMs: parts.clock() };
  const decision = basis.policy.decide(principal, access, basis.atMs);
  record.explainedBy(decision.rule.name, basis.policy.version);
  if (decision.effect === 'deny') throw denied(decision);
  const credential = keyOf(decision);
  // What the token of the session gives no key for takes nothing of the limits.
  requireGranted(principal, [{ credential }]);
  await spendFor(accountsOf(principal, decision), (account, counted) =>
    parts.budgets.admit(account, counted, parts.clock()),
  );
  const [armor, fingerprint, id] = await signed(body, object, credential, parts);
  // A key can take its time to come, and the policy is another one by then.
  confirmDecision({ access, decision, basis }, principal, parts);
  record.injected({ names: [credential], stripped: [] }, [credential]);
  record.noted({ signature: { ...facts, id, key: fingerprint } });
  return { status: 200, type: 'text/plain; charset=utf-8', text: armor };
}

async function signed(
  body: Uint8Array,
  object: GitObject,
  credential: string,
  { credentials, clock }: SigningExchange['parts'],
): Promise<readonly [armor: string, fingerprint: string, id: string]> {
  // The library is loaded where it is needed.
  const { keyFingerprint, signedId, signForGit } = await import('../ssh/ssh-signature.ts');
  try {
    const pair = await credentials.signingKey(credential, clock());
    const armor = await signForGit(body, pair);
    return [armor, keyFingerprint(pair.publicKey), signedId(body, object, armor)];
  } catch (error) {
    throw withoutReason(error);
  }
}

/** What lets requests through that no rule allows gives no key. */
export function keyOf({ inject, observed, rule }: AllowDecision): string {
  const [injection] = inject;
  if (injection !== undefined && observed === undefined) return injection.credential;
  throw new ProxyError(
    'policy_denied',
    `Nothing is signed that no rule allows, whatever the policy observes (${rule.name}).`,
  );
}

/** For the audit: who, and never what. */
function factsOf(object: GitObject): Readonly<Record<string, string>> {
  const { kind, committer } = object;
  return kind === 'tag'
    ? { kind, tag: object.tag, tagger: identityText(committer) }
    : { kind, author: identityText(object.author), committer: identityText(committer) };
}
