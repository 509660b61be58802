// A request whose proof lacks the nonce that its origin wants (RFC 9449 §9) is sent once more with it, and the client hears of that response alone.
// Only without a body: what was sent of one is gone.

import { HeaderList } from '../../http/header-list.ts';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';
import type { ForwardRequest, ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import { hasBody } from './body-facts.ts';

export interface ProvenRequest {
  readonly validated: ValidatedRequest;
  readonly injected: Pick<InjectedRequest, 'onNonce' | 'reprove'>;
}

interface ProvenForwarder {
  forward(request: ForwardRequest, receiver: ResponseReceiver): Promise<Partial<ForwardResult>>;
}

/** As `forward` of the forwarder. */
export async function forwardProven(
  forwarder: ProvenForwarder,
  request: ForwardRequest,
  receiver: ResponseReceiver,
  { validated, injected, clock }: ProvenRequest & { readonly clock: () => number },
): Promise<Partial<ForwardResult>> {
  const { onNonce, reprove } = injected;
  if (onNonce === undefined || reprove === undefined || hasBody(validated))
    return await forwarder.forward(request, receiver);
  const asked = new AskedProof(receiver, request.head.destination.host, onNonce);
  const result = await forwarder.forward(request, asked);
  if (!asked.isAsked) return result;
  return await forwarder.forward({ ...request, head: reprove(request.head, clock()) }, receiver);
}

/** Passes every response on but one that asks for another nonce than the proof had. */
class AskedProof implements ResponseReceiver {
  readonly #next: ResponseReceiver;
  readonly #host: string;
  readonly #onNonce: (nonce: string) => boolean;
  #bytes = 0;
  isAsked = false;

  constructor(next: ResponseReceiver, host: string, onNonce: (nonce: string) => boolean) {
    this.#next = next;
    this.#host = host;
    this.#onNonce = onNonce;
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    this.#next.onInformation(status, rawHeaders);
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead?: boolean): void {
    const nonce = status === 401 ? nonceOf(HeaderList.fromRaw(rawHeaders)) : undefined;
    this.isAsked = nonce !== undefined && this.#onNonce(nonce);
    if (!this.isAsked) this.#next.onHead(status, rawHeaders, endsAtHead);
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    if (!this.isAsked) return this.#next.onData(chunk, resume);
    this.#bytes += chunk.byteLength;
    const max = defaultLimits.proofRefusalBytesMax;
    if (this.#bytes <= max) return true;
    throw new ProxyError(
      'origin_malformed',
      `${this.#host} asks for another proof in a response of more than ${String(max)} bytes (proofRefusalBytesMax)`,
      { limit: 'proofRefusalBytesMax' },
    );
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (!this.isAsked) this.#next.onTrailers(rawTrailers);
  }

  onComplete(): void {
    if (!this.isAsked) this.#next.onComplete?.();
  }
}

/** Undefined: the response says something else. */
function nonceOf(headers: HeaderList): string | undefined {
  const [nonce, ...more] = headers.all('dpop-nonce');
  const isMeant = headers
    .all('www-authenticate')
    .some((one) => /\bdpop\b/i.test(one) && /\berror="?use_dpop_nonce"?(?:[, ]|$)/i.test(one));
  return isMeant && more.length === 0 ? nonce : undefined;
}
