// What the service of sessions is given.

import type { Principal } from '../../policy/decision.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { StoreAbsence } from '../../store/store-outage.ts';
import type { NumberedEnding, Store } from '../../store/store.ts';
import type { DurableAuditSink } from '../audit/audit-log.ts';
import type { NonceProofsOptions } from './nonce-proofs.ts';
import type { SessionFacts } from './session-response.ts';
import type { TokenIssuer } from './session-token.ts';
import type { SigningKey } from './signing-key.ts';

export interface SessionServiceOptions {
  readonly store: Store;
  readonly audit: DurableAuditSink;
  readonly signingKey: SigningKey;
  /** `iss` of the access tokens. */
  readonly issuer: string;
  /** The audience that session tokens must name; also that of the access tokens. */
  readonly audience: string;
  /** Issuers whose session tokens are taken: usually `ownIssuer(signingKey, issuer)` and OIDC issuers. */
  readonly trust: readonly TokenIssuer[];
  readonly sessionFacts: (principal: Principal) => SessionFacts;
  readonly limits?: Limits;
  /** By whom nonces for proofs are given, and who remembers proofs with them if this process is one of several. */
  readonly nonces?: Pick<NonceProofsOptions, 'giver'> & Partial<Pick<NonceProofsOptions, 'memory'>>;
  readonly clock?: () => number;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
  /** Told of faults that no request waits for. */
  readonly onFault?: (error: ProxyError) => void;
  readonly isOnDuty?: (() => boolean) | undefined;
  readonly strangerRefusalsPerMinuteMax?: number;
  /** What ended, as another gateway handed it over; asked once, and not kept. */
  readonly handed?: () => readonly NumberedEnding[] | undefined;
  /** Of a store that can be away. */
  readonly absence?: StoreAbsence | undefined;
}
