// Policies that are published, whichever way they are reached: in a store of this machine, or by the admin API of a gateway elsewhere.

import type { ChangeConfirmation } from '../../gateway/changes/confirm-change.ts';
import type { PolicyBinding, PolicyOutcome, PolicyText, PolicyVersion } from '../../store/policy-store.ts';

export type ShownVersion = Omit<PolicyVersion, 'publishedMs' | 'hash'> & {
  readonly published: string;
  /** Of the files; the API does not tell it. */
  readonly hash?: string;
};

export type ShownOutcome = Pick<PolicyOutcome, 'gatewayId' | 'state' | 'reason'>;

export interface HistoryLine {
  readonly version: ShownVersion;
  readonly isPublished: boolean;
  readonly outcomes: readonly ShownOutcome[];
}

/** What is to become of a policy. */
export type PolicyChange =
  | {
      readonly kind: 'publish';
      readonly files: readonly PolicyText[];
      readonly binding: PolicyBinding | undefined;
    }
  | { readonly kind: 'rollback'; readonly to: number }
  | { readonly kind: 'withdraw' };

export interface ChangeWish {
  readonly policy: string;
  readonly note: string | undefined;
  /** Undefined: upon whatever is published now. */
  readonly seen: number | undefined;
}

export interface Changed {
  readonly version: ShownVersion;
  readonly warnings: readonly string[];
  /** What the change means, in lines; undefined where there is nothing to compare. */
  readonly diff: string | undefined;
  /** The same two for programs. */
  readonly machine: { readonly diff: unknown; readonly warnings: unknown };
  /** Which gateways have taken it; undefined where none follows, or one may not ask. */
  readonly confirmation: ChangeConfirmation | undefined;
  readonly outcomes: readonly ShownOutcome[];
  /** Gateways of this configuration look at its store; undefined where that is not known. */
  readonly isFollowed: boolean | undefined;
}

/** Everything throws ProxyError. */
export interface PublishedBackend extends AsyncDisposable {
  /** Newest first. */
  history(policy: string | undefined, limit: number): Promise<readonly HistoryLine[]>;
  /** The version of that number, or the published one. */
  show(
    policy: string,
    number: number | undefined,
  ): Promise<{ readonly version: ShownVersion; readonly files: readonly PolicyText[] }>;
  change(change: PolicyChange, wish: ChangeWish): Promise<Changed>;
}
