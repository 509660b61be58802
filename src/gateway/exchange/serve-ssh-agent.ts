// A request of a session to the gateway's agent of SSH: for the keys of its rules, to take the server of a connection, or to sign a log-in there or
// a hash for git. Each signature is one that a rule names; nothing else is signed with such a key.

import type { Policy, Principal } from '../../policy/decision.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import type { AgentSignable } from '../../policy/sign-condition.ts';
import { signingAccess } from '../../policy/signing-access.ts';
import { ProxyError } from '../../protocol/error.ts';
import { agentFrame, agentMessage, sshAgentPath } from '../../protocol/ssh-agent.ts';
import {
  type AgentSignature,
  readAgentRequest,
  type SessionBind,
} from '../../understand/ssh-agent-request.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import { confirmDecision, denied } from './confirm-decision.ts';
import type { DoctorResponse } from './doctor-response.ts';
import { keyOf, type SigningExchange } from './sign-object.ts';
import { requireGranted } from './granted-credentials.ts';
import { accountsOf, spendFor } from './spending-accounts.ts';

/** A message of an agent in base64. @throws ProxyError ssh_agent_refused, policy_denied, limit_exceeded, credential_unavailable */
export async function serveSshAgent(exchange: SigningExchange, body: Uint8Array): Promise<DoctorResponse> {
  const { head } = exchange;
  if (head.method !== 'POST' || (head.query ?? '').replace(/^\?/, '') !== '')
    throw refused(`the agent takes POST http://${accessHost}${sshAgentPath} with messages of its protocol`);
  const request = readAgentRequest(body);
  if (typeof request === 'string') throw refused(request);
  switch (request.kind) {
    case 'identities':
      return messageResponse(identities(exchange));
    case 'bind':
      await requireProven(exchange, request.bind);
      return messageResponse(Buffer.of(agentMessage.success));
    case 'sign':
      return messageResponse(await sign(exchange, request));
  }
}

/** The keys of all rules for the session, each once. */
function identities({ principal, parts }: SigningExchange): Buffer {
  const keys = new Map<string, string>();
  for (const credential of parts.policy().signing(principal)?.agent?.credentials ?? []) {
    const key = parts.credentials.agentPublicKeyOf(credential);
    if (key !== undefined) keys.set(key, credential);
  }
  const fields = [...keys].flatMap(([key, name]) => [
    agentFrame(Buffer.from(key.split(' ')[1] ?? '', 'base64')),
    agentFrame(Buffer.from(name)),
  ]);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(keys.size);
  return Buffer.concat([Buffer.of(agentMessage.identities), count, ...fields]);
}

/** @throws ProxyError ssh_agent_refused: no rule of the session names the server, or it has not proved that it is the one */
async function requireProven({ principal, parts }: SigningExchange, bind: SessionBind): Promise<void> {
  const { isProven, publicKeyText } = await import('../ssh/session-bind.ts');
  if (serverOf(parts.policy(), principal, publicKeyText(bind.hostKey)) === undefined)
    throw refused('no rule of the session names a server of SSH with this key');
  if (!(await isProven(bind))) throw refused('the server has not signed this session of SSH');
}

async function sign({ principal, record, parts }: SigningExchange, request: AgentSignature): Promise<Buffer> {
  const { keyFingerprint, signForAgent } = await import('../ssh/ssh-signature.ts');
  const { isProven, publicKeyText } = await import('../ssh/session-bind.ts');
  const key = publicKeyText(request.key);
  const basis = { policy: parts.policy(), atMs: parts.clock() };
  const signs = signableOf(request, parts.credentials.agentKeysWith(key), publicKeyText);
  const server = signs.kind === 'log-in' ? serverOf(basis.policy, principal, signs.hostKey) : undefined;
  record.noted({
    signature: factsOf(signs, { key: keyFingerprint(key), fingerprint: keyFingerprint, server }),
  });
  const access = signingAccess(signs);
  const decision = basis.policy.decide(principal, access, basis.atMs);
  record.explainedBy(decision.rule.name, basis.policy.version);
  if (decision.effect === 'deny') throw denied(decision);
  const credential = keyOf(decision);
  // What the token of the session gives no key for takes nothing of the limits.
  requireGranted(principal, [{ credential }]);
  // Of a server that the rule names: others cost nothing.
  if (request.bind !== undefined && !(await isProven(request.bind)))
    throw refused('the server has not signed this session of SSH');
  await spendFor(accountsOf(principal, decision), (account, counted) =>
    parts.budgets.admit(account, counted, parts.clock()),
  );
  let signature: Buffer;
  try {
    const pair = await parts.credentials.agentKey(credential, parts.clock());
    signature = await signForAgent(request, pair);
  } catch (error) {
    throw withoutReason(error);
  }
  // A key can take its time to come, and the policy is another one by then.
  confirmDecision({ access, decision, basis }, principal, parts);
  record.injected({ names: [credential], stripped: [] }, [credential]);
  return Buffer.concat([Buffer.of(agentMessage.signResponse), agentFrame(signature)]);
}

function signableOf(
  { signs }: AgentSignature,
  credentials: readonly string[],
  textOf: (blob: Uint8Array) => string,
): AgentSignable {
  return signs.kind === 'hash'
    ? { ...signs, credentials }
    : { kind: 'log-in', user: signs.user, hostKey: textOf(signs.hostKey), credentials };
}

/** What the first rule for the session calls the server with this key; undefined: no rule names it. */
function serverOf(policy: Policy, principal: Principal, hostKey: string): string | undefined {
  return policy.signing(principal)?.agent?.servers.find((one) => one.hostKey === hostKey)?.server;
}

interface FactParts {
  readonly key: string;
  readonly fingerprint: (key: string) => string;
  readonly server: string | undefined;
}

/** For the audit: what for, and never what. */
function factsOf(
  signs: AgentSignable,
  { key, fingerprint, server }: FactParts,
): Readonly<Record<string, string>> {
  if (signs.kind === 'hash') return { kind: 'hash', namespace: 'git', hash: signs.hash, key };
  const { kind, user, hostKey } = signs;
  return { kind, ...(server === undefined ? {} : { server }), user, hostKey: fingerprint(hostKey), key };
}

function messageResponse(message: Buffer): DoctorResponse {
  return {
    status: 200,
    type: 'text/plain; charset=utf-8',
    text: `${Buffer.from(agentFrame(message)).toString('base64')}\n`,
  };
}

function refused(why: string): ProxyError {
  return new ProxyError('ssh_agent_refused', `The agent of SSH does not do this: ${why}.`);
}
