// The rest of an archive of which the client has the beginning by another fetch. Both are of one archive, or the check of the whole finds out.

import { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { ForwardRequest, ResponseReceiver } from '../forward/forwarder.ts';

export interface SentSoFar {
  /** Octets of the body. */
  readonly octets: number;
  /** What the head that the client has says of its length. */
  readonly length: number | undefined;
}

export class RestReceiver implements ResponseReceiver {
  readonly #receiver: ResponseReceiver;
  readonly #sent: SentSoFar;
  #came = 0;

  constructor(receiver: ResponseReceiver, sent: SentSoFar) {
    this.#receiver = receiver;
    this.#sent = sent;
  }

  onInformation(): void {
    return;
  }

  onHead(status: number, rawHeaders: readonly string[]): void {
    const [said] = HeaderList.fromRaw(rawHeaders).all('content-length');
    const { length } = this.#sent;
    const isOther = length !== undefined && said !== undefined && Number(said) !== length;
    if (status !== 200 || isOther) throw noRest();
  }

  /** Nothing behind the length that the client knows: it would begin another response. */
  onData(chunk: Uint8Array, resume: () => void): boolean {
    const { octets, length = Infinity } = this.#sent;
    const known = Math.min(Math.max(0, octets - this.#came), chunk.byteLength);
    this.#came += chunk.byteLength;
    if (this.#came > length) throw noRest();
    return known === chunk.byteLength || this.#receiver.onData(chunk.subarray(known), resume);
  }

  onTrailers(): void {
    return;
  }

  /** @throws ProxyError origin_truncated if it was not all of it */
  end(): void {
    const { octets, length } = this.#sent;
    if (this.#came < octets || (length !== undefined && this.#came !== length)) throw noRest();
    this.#receiver.onComplete?.();
  }
}

function noRest(): ProxyError {
  return new ProxyError('origin_truncated', 'the response broke off, and the origin did not give the rest');
}

/** Whole, whatever the client has of it: others may wait for it too. */
export function unconditional(request: ForwardRequest): ForwardRequest {
  const { head } = request;
  const headers = head.headers.without('range', 'if-none-match', 'if-modified-since');
  return { ...request, head: { ...head, headers } };
}
