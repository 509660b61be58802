// A policy with temporary grants on top: they open what no rule allows, and never what a rule denies.

import { defaultDenyName } from './compiled-policy.ts';
import { stepsFor } from './decision-work.ts';
import { type AccessGrant, grantCovers, otherRefsGrant } from './access-grant.ts';
import { grantWorkDenial } from './denial.ts';
import { allowWithin } from './within-ceiling.ts';
import type {
  AccessRequest,
  AllowDecision,
  Decision,
  DenyDecision,
  Policy,
  Principal,
  RuleLimits,
} from './decision.ts';
import { gitText } from './git-condition.ts';
import { awaitsCommands } from './git-rule.ts';
import { MatchingWork } from './matching-work.ts';
import { identityPath } from '../protocol/identity-address.ts';
import { sshAgentPath } from '../protocol/ssh-agent.ts';
import type { SessionSigning } from './sign-condition.ts';

/** Names of the rules behind what the gateway serves itself at `accessHost`. */
export const accessRequestsName = 'access-requests';
const doctorName = 'doctor';
/** Below it every session is served, so that clients can be seen to reach the gateway. */
export const doctorPath = '/doctor';
/** What is sent there is signed, where a rule says so. */
export const signPath = '/sign';
const signingName = 'signing';
/** Of what libraries of clouds find below `identityPath`, and at the addresses of clouds that are emulated. */
const identityName = 'emulated-identity';
/**
 * Where a workload leaves requests for access. RFC 6761 §6.4 keeps names below `invalid` out of the DNS for ever, and
 * no list of exceptions for a proxy has them.
 */
export const accessHost = 'upstreamproxy.invalid';

interface OtherLimits {
  readonly doctorLimits?: RuleLimits;
  readonly signLimits?: RuleLimits;
  /** Names and addresses at which the gateway responds in the place of a cloud, on port 80. */
  readonly emulated?: ReadonlySet<string>;
}

export class GrantedPolicy implements Policy {
  readonly #base: Policy;
  readonly #grants: readonly AccessGrant[];
  readonly #byHost: ReadonlyMap<string, readonly AccessGrant[]>;

  readonly #ownLimits: RuleLimits;
  readonly #doctorLimits: RuleLimits;
  readonly #signLimits: RuleLimits;
  readonly #emulated: ReadonlySet<string>;

  /** `ownLimits` bound what a session may send to `accessHost`, `doctorLimits` what below `doctorPath` there, `signLimits` what to `signPath` and the agent of SSH. */
  constructor(
    base: Policy,
    grants: readonly AccessGrant[],
    ownLimits: RuleLimits,
    { doctorLimits = ownLimits, signLimits = ownLimits, emulated = new Set() }: OtherLimits = {},
  ) {
    this.#base = base;
    this.#grants = grants;
    this.#ownLimits = ownLimits;
    this.#doctorLimits = doctorLimits;
    this.#signLimits = signLimits;
    this.#emulated = emulated;
    this.#byHost = Map.groupBy(grants, ({ host }) => host);
  }

  get version(): string {
    return this.#base.version;
  }

  decide(principal: Principal, access: AccessRequest, nowMs: number): Decision {
    const { host } = access.destination;
    // What is signed is for the rules alone: no grant is about it.
    if (access.depth === 'request' && access.signs !== undefined)
      return this.#base.decide(principal, access, nowMs);
    if (host === accessHost) return this.#decideOwnHost(access);
    // Never dialled either: a library gets what the gateway has for it, or nothing.
    if (this.#emulated.has(host) && isEmulatedPort(access.destination))
      return { ...allowed(identityName), limits: this.#doctorLimits };
    const decision = this.#base.decide(principal, access, nowMs);
    // Only the absence of a rule can be made up for: a rule that denies was meant.
    if (decision.effect === 'allow' || decision.rule.name !== defaultDenyName) return decision;
    // What is granted to a session is not for those that it makes, and none of those gets more than it has.
    if (principal.narrowed !== undefined) return decision;
    const grants = this.#byHost.get(host) ?? [];
    const asking = { principal, nowMs, work: new MatchingWork(stepsFor(access)) };
    const grant = grants.find((one) => grantCovers(one, access, asking));
    if (asking.work.isSpent && grant === undefined) return grantWorkDenial(access);
    if (grant === undefined) return withOtherRefs(decision, otherRefsGrant(grants, access, asking));
    const { within } = decision;
    const own = awaitsCommands(grant.push?.git, access) ? ({ awaits: 'git-commands' } as const) : {};
    const opened = { ...allowed(`access-grant:${grant.id}`), ...own, ...awaitsOf(decision) };
    return within === undefined ? opened : allowWithin(opened, within);
  }

  capturePorts(principal: Principal): readonly number[] {
    return this.#base.capturePorts(principal);
  }

  /** Without the grants. */
  rulesFor(...asked: Parameters<Policy['rulesFor']>): ReturnType<Policy['rulesFor']> {
    return this.#base.rulesFor(...asked);
  }

  /** A grant opens requests, never blind bytes. */
  blindHosts(principal: Principal): readonly string[] {
    return this.#base.blindHosts(principal);
  }

  sshHosts(principal: Principal): readonly string[] {
    return this.#base.sshHosts(principal);
  }

  /** A grant gives no credential. */
  injected(principal: Principal): ReadonlySet<string> {
    return this.#base.injected(principal);
  }

  get revokesTokens(): boolean {
    return this.#base.revokesTokens;
  }

  signing(principal: Principal): SessionSigning | undefined {
    return this.#base.signing(principal);
  }

  changesBetween(fromMs: number, toMs: number, host?: string): boolean {
    const grants = host === undefined ? this.#grants : (this.#byHost.get(host) ?? []);
    const [first, last] = fromMs <= toMs ? [fromMs, toMs] : [toMs, fromMs];
    const isOver = grants.some(({ endsMs }) => endsMs > first && endsMs <= last);
    return isOver || this.#base.changesBetween(fromMs, toMs, host);
  }

  /** Never dialled, whatever the rules say; the gateway serves requests to it. */
  #decideOwnHost(access: AccessRequest): Decision {
    const { scheme, port } = access.destination;
    if (!((scheme === 'https' && port === 443) || (scheme === 'http' && port === 80))) return otherPort;
    if (access.depth !== 'request') return allowed(accessRequestsName);
    if (access.path === signPath || access.path === sshAgentPath)
      return { ...allowed(signingName), limits: this.#signLimits };
    if (access.path.startsWith(identityPath)) return { ...allowed(identityName), limits: this.#doctorLimits };
    return isDoctorPath(access.path)
      ? { ...allowed(doctorName), limits: this.#doctorLimits }
      : { ...allowed(accessRequestsName), limits: this.#ownLimits };
  }
}

/** The denial, with what a grant would take instead. */
function withOtherRefs(decision: DenyDecision, grant: AccessGrant | undefined): DenyDecision {
  if (grant?.push === undefined) return decision;
  const said = `The grant ${grant.id} allows a push that is no more than this: ${gitText(grant.push.git)}.`;
  return {
    ...decision,
    reason: `${decision.reason} ${said}`,
    operatorReason: `${decision.operatorReason} ${said}`,
  };
}

/** Services inside a machine of a cloud are plain HTTP. */
export function isEmulatedPort({ scheme, port }: AccessRequest['destination']): boolean {
  return scheme === 'http' && port === 80;
}

/** Whether a canonical path is one of the doctor's. */
export function isDoctorPath(path: string): boolean {
  // git puts the service behind the name of a repository.
  return path === doctorPath || path.startsWith(`${doctorPath}/`) || path.startsWith(`${doctorPath}.git/`);
}

const otherPort: Decision = {
  effect: 'deny',
  rule: { name: accessRequestsName },
  reason: `${accessHost} is the gateway itself: http on port 80 and https on port 443.`,
  operatorReason: `${accessHost} is served by the gateway on ports 80 and 443 only.`,
};

/** No credential and no private network: a grant opens the way to a public origin and nothing else. */
function allowed(name: string): AllowDecision {
  return { effect: 'allow', rule: { name }, handling: 'intercept', inject: [], addresses: [], limits: {} };
}

function awaitsOf({
  awaits,
  awaitsOnTrial,
  awaitsOf: of,
}: Decision): Pick<Decision, 'awaits' | 'awaitsOnTrial' | 'awaitsOf'> {
  if (awaits === undefined) return {};
  return {
    awaits,
    ...(awaitsOnTrial === undefined ? {} : { awaitsOnTrial }),
    ...(of === undefined ? {} : { awaitsOf: of }),
  };
}
