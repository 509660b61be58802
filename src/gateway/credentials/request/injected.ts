// A request head with a credential on it.

import type { BodyRewrite } from './body-rewrite.ts';
import type { UpstreamTls } from '../../forward/forwarder.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { HeaderList } from '../../../http/header-list.ts';
import type { RequestHead } from '../../../http/message-head.ts';

/** What an origin says that does not do what it was asked for. */
export interface RefusingResponse {
  readonly headers: HeaderList;
  /** The beginning of the body, an octet a character. */
  readonly start: string;
}

export interface Injected {
  readonly head: RequestHead;
  /** What responses are searched for; the same for every request, so that it is prepared once. */
  readonly values: readonly Secret<string>[];
  /** Who the gateway is to the origin on the connection itself. */
  readonly tls?: UpstreamTls;
  /** Absent: the body passes as it is. */
  readonly body?: BodyRewrite;
  /** The origin never repeats the values in what it serves in ranges, so that clients may ask for ranges. */
  readonly keepsRange?: boolean;
  /** It turned out that the request has no place for it. */
  readonly isUnused?: boolean;
  /** To be told of what the origin wants to have in the next proof. True if that is another one than before. */
  readonly onNonce?: (nonce: string) => boolean;
  /** The same request with a proof for now, by the last nonce of its origin. */
  readonly reprove?: (head: RequestHead, nowMs: number) => RequestHead;
  /** To be told if the origin responds with 401. */
  readonly onRejected?: (nowMs: number) => void;
  /** Whether a response with status 400 or 403 says that too, by its fields and the beginning of its body. */
  readonly isRejection?: (response: RefusingResponse) => boolean;
}
