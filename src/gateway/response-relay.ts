// The response on its way to the client: validated, freed of hop-by-hop fields, scrubbed, with backpressure.

import type { Buffer } from 'node:buffer';
import { HeaderList } from '../http/header-list.ts';
import type { RequestHead, ResponseHead } from '../http/message-head.ts';
import { validateResponse } from '../http/response-validation.ts';
import { validateTrailers } from '../http/trailers.ts';
import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { Secret } from '../protocol/secret.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { ResponseReceiver } from './forwarder.ts';
import { ResponseScrubber, scrubText, secretForms } from './response-scrubber.ts';
import type { SpendBytes } from './session-budgets.ts';

export interface ResponseRelayOptions {
  readonly client: ClientExchange;
  /** What was injected and must not come back. */
  readonly secrets: readonly Secret<string>[];
  readonly request: RequestHead;
  readonly limits: Limits;
  readonly spendBytes: SpendBytes;
}

export class ResponseRelay implements ResponseReceiver {
  readonly #client: ClientExchange;
  readonly #request: RequestHead;
  readonly #limits: Limits;
  readonly #spendBytes: SpendBytes;
  readonly #forms: readonly Buffer[];
  readonly #scrubber: ResponseScrubber | undefined;
  #trailers: readonly string[] = [];
  status: number | undefined;
  bodyBytes = 0;

  constructor(options: ResponseRelayOptions) {
    this.#client = options.client;
    this.#request = options.request;
    this.#limits = options.limits;
    this.#spendBytes = options.spendBytes;
    this.#forms = secretForms(options.secrets);
    this.#scrubber = this.#forms.length === 0 ? undefined : new ResponseScrubber(this.#forms);
  }

  /** How many times an injected secret was replaced in the body. */
  get scrubbed(): number {
    return this.#scrubber?.replaced ?? 0;
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    // 100 is the gateway's own business: the client got its answer when the request was admitted.
    if (status === 100 || status === 101) return;
    this.#client.sendInformation(status, this.#clean(status, rawHeaders).headers.toRaw());
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead = false): void {
    const head = this.#clean(status, rawHeaders);
    this.#refuseEncoded(head);
    this.status = status;
    this.#client.sendHead(head, endsAtHead);
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    this.bodyBytes += chunk.byteLength;
    this.#spendBytes(chunk.byteLength);
    const bytes = this.#scrubber === undefined ? chunk : this.#scrubber.push(chunk);
    if (bytes.byteLength === 0 || this.#client.sendData(bytes)) return true;
    this.#client.onDrain(resume);
    return false;
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (rawTrailers.length > 0) {
      this.#trailers = this.#scrub(validateTrailers(rawTrailers, 'response', this.#limits)).toRaw();
    }
  }

  /** The origin's answer was complete. */
  end(): void {
    const rest = this.#scrubber?.end();
    if (rest !== undefined && rest.length > 0) this.#client.sendData(rest);
    this.#client.sendEnd(this.#trailers);
  }

  #clean(status: number, rawHeaders: readonly string[]): ResponseHead {
    const requestMethod = this.#request.method;
    const head = validateResponse({ status, rawHeaders, requestMethod, limits: this.#limits });
    return { ...head, headers: this.#scrub(head.headers) };
  }

  #scrub(headers: HeaderList): HeaderList {
    if (this.#forms.length === 0) return headers;
    return new HeaderList(
      [...headers].map(([name, value]) => [name, scrubText(value, this.#forms)] as const),
    );
  }

  /** Encoded bytes cannot be searched for the secret, so they do not pass (fail closed). */
  #refuseEncoded(head: ResponseHead): void {
    if (this.#scrubber === undefined) return;
    const encoding = head.headers.first('content-encoding')?.trim().toLowerCase();
    if (encoding === undefined || encoding === '' || encoding === 'identity') return;
    throw new ProxyError(
      'origin_malformed',
      `${this.#request.destination.host} answered with content-encoding ${encoding} although identity was asked for, ` +
        'so the answer cannot be searched for the injected credential and is not passed on',
    );
  }
}
