// The response on its way to the client: validated, freed of hop-by-hop fields, scrubbed, with backpressure.

import { HeaderList } from '../../http/header-list.ts';
import type { RequestHead, ResponseHead } from '../../http/message-head.ts';
import { printable } from '../../http/printable.ts';
import { codingBeforeChunks } from '../../http/response-framing.ts';
import { validateResponse } from '../../http/response-validation.ts';
import { validateTrailers } from '../../http/trailers.ts';
import { owned } from '../../net/shared-reads.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ResponseClient } from './response-client.ts';
import type { ResponseReceiver } from '../forward/forwarder.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { bordersOf } from '../scrub/body-borders.ts';
import { isDecodable, ResponseDecoder } from '../scrub/response-decoder.ts';
import type { SearchedValues } from '../scrub/response-scrubber.ts';
import { scrubFields } from '../scrub/scrub-fields.ts';
import { foreignCharset, messageCoding, withoutDigests } from '../scrub/searchable-response.ts';
import type { ResponseRoom } from './response-room.ts';
import { SearchedBody } from './searched-body.ts';

export interface ResponseRelayOptions {
  readonly client: ResponseClient;
  /** What may not come back: values of the credentials that the rule names. Undefined if it names none that travels. */
  readonly searched: SearchedValues | undefined;
  /** What is held goes on when nothing came for so long, as the rule asks. */
  readonly quietMs?: number | undefined;
  /** Whether an encoded response may be decoded to be searched. */
  readonly decode?: boolean;
  readonly request: RequestHead;
  readonly limits: Limits;
  /** Pays for the body, if the rule limits bytes. */
  readonly spendBytes: SpendBytes | undefined;
  /** Ends the exchange while nothing of the response comes any more. */
  readonly fail: (error: ProxyError) => void;
  /** What it takes of the budget of its session. */
  readonly room?: ResponseRoom;
  /** Told what comes of a body that is searched, before it is. */
  readonly onText?: ((chunk: Uint8Array) => void) | undefined;
  /** Told of the head of the response that goes to the client. */
  readonly onStatus?: (status: number, headers: HeaderList) => void;
}

export class ResponseRelay implements ResponseReceiver, Disposable {
  readonly #client: ResponseClient;
  readonly #request: RequestHead;
  readonly #limits: Limits;
  readonly #spendBytes: SpendBytes | undefined;
  readonly #fail: (error: ProxyError) => void;
  readonly #onStatus: ((status: number, headers: HeaderList) => void) | undefined;
  readonly #room: ResponseRoom | undefined;
  readonly #onText: ((chunk: Uint8Array) => void) | undefined;
  /** What came before it was paid for, in order. */
  #unpaid: Promise<void> | undefined;
  #waiting = 0;
  readonly #searched: SearchedValues | undefined;
  readonly #quietMs: number | undefined;
  readonly #decode: boolean;
  #body: SearchedBody | undefined;
  /** Takes off what lies below the chunks of a response of HTTP/1.1. */
  #transferDecoder: ResponseDecoder | undefined;
  #trailers: readonly string[] = [];
  #unsearchableFault: ProxyError | undefined;
  #interimHeads = 0;
  #isEnded = false;
  status: number | undefined;
  /** What the origin wants to have in the next proof (RFC 9449 §8.2). */
  proofNonce: string | undefined;
  bodyBytes = 0;

  constructor(options: ResponseRelayOptions) {
    this.#client = options.client;
    this.#request = options.request;
    this.#limits = options.limits;
    this.#spendBytes = options.spendBytes;
    this.#fail = options.fail;
    this.#onStatus = options.onStatus;
    this.#room = options.room;
    this.#onText = options.onText;
    this.#decode = options.decode ?? false;
    this.#searched = options.searched;
    this.#quietMs = options.quietMs;
  }

  /** How many times an injected secret was replaced in the body. */
  get scrubbed(): number {
    return this.#body?.replaced ?? 0;
  }

  /**
   * What may be said of a fault of the exchange. An origin that repeats a value in a head that is none has it quoted by whoever found
   * the head malformed, maybe cut, so that nothing can be searched for (invariant 3).
   */
  harmless(error: unknown): unknown {
    if (this.#searched === undefined || error === this.#unsearchableFault) return error;
    const { code, message } = asProxyError(error);
    if (code !== 'origin_malformed' || !message.includes('"')) return error;
    return new ProxyError(
      code,
      `the response of ${this.#request.destination.host} is malformed; its text is not repeated, for a credential was on the request`,
    );
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    this.#interimHeads += 1;
    const max = this.#limits.interimHeadsMax;
    if (this.#interimHeads > max) {
      const message = `${this.#request.destination.host} sent more than ${max} interim responses (interimHeadsMax)`;
      throw new ProxyError('origin_malformed', message, { limit: 'interimHeadsMax' });
    }
    // 100 is the gateway's own business: the client got its response when the request was admitted.
    if (status === 100 || status === 101) return;
    this.#client.sendInformation(status, this.#clean(status, rawHeaders).headers.toRaw());
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead = false): void {
    const head = this.#clean(status, this.#takeTransferCoding(rawHeaders));
    this.status = status;
    this.proofNonce = head.headers.first('dpop-nonce');
    this.#onStatus?.(status, head.headers);
    const searched = this.#searched;
    if (searched === undefined) {
      this.#client.sendHead(head, endsAtHead);
      return;
    }
    const coding = this.#codingToTakeOff(head);
    const { host } = this.#request.destination;
    const borders = bordersOf(head.headers.all('content-type').join(', '), host);
    const quietMs = this.#quietMs;
    const [client, hold, onText] = [this.#client, this.#hold, this.#onText];
    this.#body = new SearchedBody({ client, searched, borders, coding, host, quietMs, hold, onText });
    // None of these holds for what the client gets where it is decoded: it is longer, and marked where a secret stood.
    const headers =
      coding === undefined
        ? head.headers
        : head.headers.without('content-encoding', 'content-length', 'etag');
    this.#client.sendHead({ ...head, headers }, endsAtHead);
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    this.bodyBytes += chunk.byteLength;
    const unpaid = this.#spendBytes?.(chunk.byteLength);
    const room = this.#room;
    const goOn = (): void => {
      room?.flow();
      resume();
    };
    const isDue = unpaid === undefined && this.#waiting === 0;
    if (isDue && this.#pass(chunk, goOn)) return true;
    if (!isDue) this.#passLater(owned(chunk), goOn, unpaid);
    room?.stall();
    return false;
  }

  readonly #hold = (octets: number): void => this.#room?.keep(octets);

  /** Budgets are debited before use: nothing goes on that is not paid for, nor before what came earlier. */
  #passLater(chunk: Uint8Array, resume: () => void, unpaid: Promise<undefined> | undefined): void {
    const earlier = this.#unpaid;
    this.#waiting += 1;
    const later = (async () => {
      await Promise.all([earlier, unpaid]);
      this.#waiting -= 1;
      if (!this.#isEnded && this.#pass(chunk, resume)) resume();
    })();
    this.#unpaid = later;
    later.catch((error: unknown) => {
      this.#fail(asProxyError(error));
    });
  }

  #pass(chunk: Uint8Array, resume: () => void): boolean {
    if (this.#transferDecoder !== undefined) return this.#transferDecoder.push(owned(chunk), resume);
    if (this.#body !== undefined) return this.#body.push(owned(chunk), resume);
    if (chunk.byteLength === 0 || this.#client.sendData(chunk)) return true;
    this.#client.onDrain(resume);
    return false;
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (rawTrailers.length > 0) {
      this.#trailers = this.#scrub(validateTrailers(rawTrailers, 'response', this.#limits)).toRaw();
    }
  }

  /** What was written in this turn leaves together with the end. */
  onComplete(): void {
    const isDirect = this.#transferDecoder === undefined && this.#body?.isDirect !== false;
    if (this.#waiting === 0 && isDirect) this.#end();
  }

  /** Whether all of the response is with the client, its end too. */
  get isWhole(): boolean {
    return this.#isEnded && this.#unpaid === undefined;
  }

  /** The origin's response was complete. */
  async end(): Promise<void> {
    await this.#unpaid;
    await this.#transferDecoder?.end();
    await this.#body?.decoded();
    this.#end();
  }

  /** Of a response that broke off what is held goes nowhere: it could be the beginning of a secret. */
  [Symbol.dispose](): void {
    this.#isEnded = true;
    this.#body?.[Symbol.dispose]();
    this.#room?.[Symbol.dispose]();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#body?.end();
    this.#client.sendEnd(this.#trailers);
  }

  #clean(status: number, rawHeaders: readonly string[]): ResponseHead {
    const requestMethod = this.#request.method;
    const head = validateResponse({ status, rawHeaders, requestMethod, limits: this.#limits });
    return { ...head, headers: this.#scrub(head.headers) };
  }

  /** The fields without a transfer coding below the chunks, which is one hop's and was not asked for: it goes no further. */
  #takeTransferCoding(rawHeaders: readonly string[]): readonly string[] {
    if (!mayBeCoded(rawHeaders)) return rawHeaders;
    const headers = HeaderList.fromRaw(rawHeaders);
    const coding = codingBeforeChunks(headers.all('transfer-encoding'));
    if (coding === undefined || coding === 'none') return rawHeaders;
    if (this.#searched !== undefined) throw this.#unsearchable(`with transfer-encoding ${coding}`);
    const client = this.#client;
    this.#transferDecoder = new ResponseDecoder({
      coding,
      hold: this.#hold,
      host: this.#request.destination.host,
      signal: client.signal,
      take: (chunk) => client.sendData(chunk),
      onDrain: (listener) => {
        client.onDrain(listener);
      },
    });
    return headers.without('transfer-encoding').toRaw();
  }

  #scrub(headers: HeaderList): HeaderList {
    const searched = this.#searched;
    return searched === undefined ? headers : withoutDigests(scrubFields(headers, searched.tables));
  }

  /** Encoded bytes, or letters, cannot be searched for the secret: they are decoded, or do not pass (fail closed). */
  #codingToTakeOff(head: ResponseHead): string | undefined {
    const charset = foreignCharset(head.headers.all('content-type').join(', '));
    if (charset !== undefined) throw this.#unsearchable(`in the charset ${printable(charset)}`);
    const ofMessages = messageCoding(head.headers);
    if (ofMessages !== undefined) throw this.#unsearchable(`with messages in ${printable(ofMessages)}`);
    const encoding = head.headers.all('content-encoding').join(', ').trim().toLowerCase();
    if (encoding === '' || encoding === 'identity') return undefined;
    if (this.#decode && isDecodable(encoding)) return encoding;
    throw this.#unsearchable(`with content-encoding ${printable(encoding)}`);
  }

  /** What it quotes was searched. */
  #unsearchable(how: string): ProxyError {
    return (this.#unsearchableFault = new ProxyError(
      'origin_malformed',
      `${this.#request.destination.host} responded with ${how} which was not asked for, ` +
        'so the response cannot be searched for the injected credential and is not passed on',
    ));
  }
}

/** Whether a field has the length of Transfer-Encoding: most responses have none. */
function mayBeCoded(raw: readonly string[]): boolean {
  for (let at = 0; at < raw.length; at += 2) if (raw[at]?.length === 17) return true;
  return false;
}
