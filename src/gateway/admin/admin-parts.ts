// What the operations of the admin API work on, and what each is asked.

import type { AdminOperation, Of, OutputOf } from '../../api/admin/routes.ts';
import type { Policy } from '../../policy/decision.ts';
import type { LimitName } from '../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import type { CapturedBodies } from '../captured/captured-bodies.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { Policies } from '../policies/open-policies.ts';
import type { OperatorStore } from '../../store/operator-store.ts';
import type { BrowserLogIn } from './browser-log-in.ts';
import type { SigningKey } from '../sessions/signing-key.ts';
import type { LiveAdvisories } from '../packages/advisories/live-advisories.ts';
import type { Followers } from './followers.ts';
import type { LinkLogIn } from './link-log-in.ts';
import type { Operator } from './operator.ts';
import type { PolicyReads } from './policy-reads.ts';
import type { WholeAuditReads } from './whole-audit.ts';

export interface AdminParts {
  readonly store: Store;
  /** Who may ask: the store's tokens, or that of a link alone. */
  readonly operators: OperatorStore;
  /** Where log-in is by a link that works once, and by nothing else. */
  readonly link: LinkLogIn | undefined;
  /** Log-in at an identity provider, where there is one. */
  readonly logIn: BrowserLogIn | undefined;
  readonly config: GatewayConfig;
  /** Signs the session tokens that the gateway itself issues, and seals cursors; chains of the audit are verified by it. */
  readonly signingKey: Pick<SigningKey, 'signJwt' | 'signText' | 'publicKeys'>;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
  readonly policies: Policies;
  readonly policyReads: PolicyReads;
  readonly wholeAudit: WholeAuditReads;
  /** What decides: the policy with the grants in force. */
  readonly policy: () => Policy;
  readonly metricsText: () => Promise<string>;
  /** How often each limit was reached since the start; one that was not is left out. */
  readonly limitsReached: () => Promise<ReadonlyMap<LimitName, number>>;
  readonly tunnels: () => Promise<number>;
  readonly isReady: () => boolean;
  /** Of all workers. */
  readonly isAuditHealthy: () => Promise<boolean>;
  readonly version: string;
  readonly startedMs: number;
  readonly clock: () => number;
  readonly followers: Followers;
  /** Bodies that rules had kept, of this gateway. */
  readonly captured: Pick<CapturedBodies, 'read' | 'readRecording'> | undefined;
  /** What is known against packages; undefined: nobody keeps an index. */
  readonly advisories?: Pick<LiveAdvisories, 'state'> | undefined;
}

/** What an operation is asked, already checked. */
export interface Asked<Operation extends AdminOperation> {
  readonly operator: Operator;
  /** The segment in braces of the path; empty where there is none. */
  readonly id: string;
  readonly query: Of<Operation, 'query'>;
  readonly body: Of<Operation, 'body'>;
  readonly nowMs: number;
  /** Aborts when who asks has gone. */
  readonly signal: AbortSignal;
  /** By which name the gateway was asked. */
  readonly host: string | undefined;
  /** ETag that it must still have. */
  readonly ifMatch: string | undefined;
}

/** Operations that give one value. */
export type Handlers<Operations extends AdminOperation> = {
  readonly [Operation in Operations]: (
    parts: AdminParts,
    asked: Asked<Operation>,
  ) => OutputOf<Operation> | Promise<OutputOf<Operation>>;
};

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A member only where there is a value. */
export function given<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  // A computed key is typed as any text.
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}
