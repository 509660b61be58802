// What policies make of requests, whichever way they are asked: here, by files, a configuration or a store, or by the admin API of a gateway
// elsewhere.

import type { Buffer } from 'node:buffer';
import type { AuditEvent } from '../../api/audit-event.ts';
import type { ChangeGroup, Replay } from '../../gateway/policies/policy-replay.ts';
import type { Principal } from '../../policy/decision.ts';
import type { RefUpdate } from '../../policy/git-commands.ts';
import type { CheckProblem } from '../gateway/policy-warnings.ts';

/** A request, or with CONNECT a connection, as it is written on a command line. */
export interface AskedRequest {
  readonly method: string;
  /** Of CONNECT host and port. */
  readonly url: string;
  /** `Name: value` each. */
  readonly fields?: readonly string[];
  readonly body?: Buffer;
  readonly pushed?: readonly RefUpdate[];
  readonly pushOptions?: readonly string[];
}

/** Which policy is asked. */
export type PolicyWanted =
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  /** Without a number the published one. */
  | { readonly kind: 'version'; readonly policy: string; readonly number: number | undefined }
  | { readonly kind: 'in-force' };

export type Asker = Pick<Principal, 'claims' | 'posture'>;

export interface Explained {
  readonly request: string;
  readonly isAllowed: boolean;
  /** Version of the policy that was asked. */
  readonly policy: string;
  readonly text: string;
  /** For programs. */
  readonly machine: object;
}

/** An exchange of the audit, explained by the policy and the session of then as far as they are known. */
export interface ExchangeExplained extends Explained {
  readonly event: AuditEvent;
  /** What is not known, each in a sentence. */
  readonly notes: readonly string[];
}

type ShownChange = Omit<ChangeGroup, 'change'> & { readonly change: string };

export interface ShownReplay extends Omit<Replay, 'flips' | 'others'> {
  readonly flips: readonly ShownChange[];
  readonly others: readonly ShownChange[];
}

export interface Checked {
  readonly rules: number;
  readonly version: string;
  readonly warnings: readonly CheckProblem[];
}

export interface Compared {
  readonly text: string;
  /** For programs. */
  readonly machine: object;
}

/** Everything throws ProxyError. */
export interface JudgingBackend extends AsyncDisposable {
  /** @throws InvalidFilesError with what is wrong */
  check(policy: PolicyWanted): Promise<Checked>;
  explain(
    requests: readonly AskedRequest[],
    policy: PolicyWanted,
    asker: Asker,
  ): Promise<readonly Explained[]>;
  /** By the id of its event, or by a trace. */
  explainExchange(id: string): Promise<ExchangeExplained>;
  /** `onSeen` hears how many events were seen so far. */
  replay(
    policy: PolicyWanted,
    fromMs: number | undefined,
    onSeen: (events: number) => void,
  ): Promise<ShownReplay>;
  compare(before: PolicyWanted, after: PolicyWanted): Promise<Compared>;
}
