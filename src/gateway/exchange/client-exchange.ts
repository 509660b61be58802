// The client's side of one exchange, the same for HTTP/1.1 and HTTP/2.

import type { Readable } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import type { ResponseHead } from '../../http/message-head.ts';

export interface ClientExchange {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** HTTP/2: whether the head had END_STREAM. */
  readonly endsAtHead?: boolean;
  /** The request's body as a stream; ended at once if there is none. */
  readonly body: Readable;
  /** Trailer fields that came behind the body (name, value, …). @throws ProxyError cancelled if what came is not the whole body */
  trailers(): readonly string[];
  /** Aborts when the client goes away before the response is complete. */
  readonly signal: AbortSignal;
  /** Sends the 100 that `Expect: 100-continue` asks for. */
  sendContinue(): void;
  sendInformation(status: number, rawHeaders: readonly string[]): void;
  /** `endsAtHead`: nothing follows; gRPC over HTTP/2 tells an error by such a head. */
  sendHead(head: ResponseHead, endsAtHead?: boolean): void;
  /** The chunk holds until this returns. False means: wait for `onDrain`. */
  sendData(chunk: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  /** Ends the response; resolves when it is handed to the transport. */
  sendEnd(rawTrailers: readonly string[]): void;
  readonly headSent: boolean;
  /** HTTP/2: what the client may send ahead of a body on its stream, and that is held if the origin does not take it. */
  readonly bodyWindowBytes?: number;
  /** So many bytes of the body were taken so far. */
  onBodyTaken?(bodyBytes: number): void;
  /** HTTP/1.1: throws if what frames the body is out of proportion to the body so far. */
  checkFraming?(bodyBytes: number): void;
  /** What broke the request while it was read; it is then the reason of the refusal. */
  readonly fault?: ProxyError | undefined;
  /** Nothing behind this request is read: where a message ends is not agreed, so no other can begin there. */
  closeAfterResponse(): void;
  /** This request is the last one of its connection, whatever the protocol. */
  closeConnection(): void;
  /** Ends the response abruptly: the client must see that it is not complete. */
  abort(error: ProxyError): void;
}

/** Nothing is sent for a client that went away while its request waited. @throws ProxyError cancelled, or the fault */
export function throwIfGone({ signal, fault }: Pick<ClientExchange, 'signal' | 'fault'>): void {
  if (signal.aborted) throw fault ?? new ProxyError('cancelled', 'the client went away');
}
