// The response of a model on its way to the client, read for what it took. It outlives its client for a while: who hangs up before the
// last event would else pay nothing.

import { Buffer } from 'node:buffer';
import type { ResponseHead } from '../../http/message-head.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { countsInFields } from '../../understand/bedrock-counts.ts';
import { EventStreamReader, eventText } from '../../understand/event-stream.ts';
import { LlmMeter } from '../../understand/llm-meter.ts';
import type { LlmUsage } from '../../understand/llm-usage.ts';
import { withoutDigests } from '../scrub/searchable-response.ts';
import type { ModelCost, ModelSpend } from './model-budgets.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { ModelCall } from './model-call.ts';
import { usageFacts } from './model-facts.ts';
import type { ResponseClient } from './response-client.ts';

export interface ModelResponseOptions {
  readonly call: ModelCall;
  readonly spend: ModelSpend;
  readonly clientSignal: AbortSignal;
  readonly limits: Limits;
}

export class ModelResponse implements Disposable {
  readonly #options: ModelResponseOptions;
  /** Ends what goes on upstream. */
  readonly #ending = new AbortController();
  readonly #timer: { current: NodeJS.Timeout | undefined } = { current: undefined };
  readonly #onGone: () => void;
  #meter: LlmMeter | undefined;
  #status: number | undefined;
  #hasBegun = false;
  #onDrained: (() => void) | undefined;

  constructor(options: ModelResponseOptions) {
    this.#options = options;
    const { clientSignal, spend, limits } = options;
    this.#onGone = () => {
      // What nobody takes any more is read on, and goes nowhere.
      this.#onDrained?.();
      if (!spend.isCounted || !this.#hasBegun) this.end();
      else this.#timer.current = setTimeout(() => this.end(), limits.llmDrainMs);
    };
    if (clientSignal.aborted) this.end();
    else clientSignal.addEventListener('abort', this.#onGone, { once: true });
  }

  /** For what goes upstream, in place of the client's. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** From here on the service may have got it. */
  begun(): void {
    this.#hasBegun = true;
  }

  /** Nothing is read on, whoever waits for it. */
  end(): void {
    this.#ending.abort();
  }

  /** The client of the response. @param keep takes room for what is held @throws ProxyError limit_exceeded, origin_malformed */
  clientOf(client: ResponseClient, keep: (octets: number) => void): ResponseClient {
    const isGone = (): boolean => this.#options.clientSignal.aborted;
    let filter: UsageFilter | undefined;
    let room = 0;
    return {
      signal: this.signal,
      sendInformation: (status, rawHeaders) => {
        if (!isGone()) client.sendInformation(status, rawHeaders);
      },
      sendHead: (head, endsAtHead) => {
        this.#begin(head);
        filter = endsAtHead === true ? undefined : this.#filterOf(head);
        const shown = filter === undefined ? head : streamHead(head);
        if (!isGone()) client.sendHead(shown, endsAtHead);
      },
      sendData: (chunk) => {
        this.#meter?.push(chunk);
        const shown = filter === undefined ? chunk : filter.take(chunk);
        const held = (this.#meter?.octets ?? 0) + (filter?.characters ?? 0);
        for (; room < held; room += roomStep) keep(roomStep);
        if (isGone() || (shown.byteLength === 0 && chunk.byteLength > 0)) return true;
        return client.sendData(shown);
      },
      onDrain: (listener) => {
        if (isGone()) {
          listener();
          return;
        }
        // Of the two, whichever comes first.
        let isTold = false;
        const once = (): void => {
          if (isTold) return;
          isTold = true;
          this.#onDrained = undefined;
          listener();
        };
        this.#onDrained = once;
        client.onDrain(once);
      },
      sendEnd: (rawTrailers) => {
        this.#meter?.end();
        if (!isGone()) client.sendEnd(rawTrailers);
      },
    };
  }

  /** Settles it, and says what it took. */
  tell(record: Pick<ExchangeRecord, 'facts' | 'callRead'>): void {
    const { request, set } = this.#options.call;
    record.callRead(request.api, usageFacts(record.facts.llm, this.#settle(), set));
  }

  /** What the call took, as far as it is known. Undefined: nothing bounds it, and nobody said it. */
  #settle(): ModelCost | undefined {
    const { spend } = this.#options;
    if (!this.#hasBegun || isUnbilled(this.#status)) return spend.tookNothing();
    const usage: LlmUsage | undefined = this.#meter?.usage;
    return usage !== undefined && this.#meter?.isFinal === true
      ? spend.took(usage)
      : spend.tookUnknown(usage);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer.current);
    this.#options.clientSignal.removeEventListener('abort', this.#onGone);
  }

  #begin({ status, headers }: ResponseHead): void {
    this.#status = status;
    const encoding = headers.all('content-encoding').join(', ').trim().toLowerCase();
    const isPlain = encoding === '' || encoding === 'identity';
    const { request } = this.#options.call;
    this.#meter = new LlmMeter({
      form: request.usageForm,
      choices: request.choices,
      contentType: isPlain ? headers.first('content-type') : undefined,
      octetsMax: this.#options.limits.llmResponseBytesMax,
      // Before a stream nobody knows it.
      told: request.usageForm === 'bedrock-invoke' && !request.streams ? countsInFields(headers) : undefined,
    });
  }

  #filterOf({ status, headers }: ResponseHead): UsageFilter | undefined {
    const type = headers.first('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
    const isStream = status >= 200 && status <= 299 && type === 'text/event-stream';
    return this.#options.call.hidesUsage && isStream
      ? new UsageFilter(this.#options.limits.llmResponseBytesMax)
      : undefined;
  }
}

/** Undefined: it is none to a call. */
export function modelResponseOf(
  { signal: clientSignal }: Pick<ClientExchange, 'signal'>,
  { called }: Pick<Admitted, 'called'>,
  { limits }: Pick<ExchangeParts, 'limits'>,
): ModelResponse | undefined {
  return called === undefined ? undefined : new ModelResponse({ ...called, clientSignal, limits });
}

/** Room is taken in steps, and kept as long as the response lasts. */
const roomStep = 65_536;

/** Of timeouts and of gateways between. */
const unknownOutcomes: ReadonlySet<number> = new Set([408, 499, 502, 504]);

/** Services bill no call that they refuse or fail. Of what stands between, nobody knows whether the service was asked. */
function isUnbilled(status: number | undefined): boolean {
  if (status === undefined || status < 300) return false;
  return !unknownOutcomes.has(status) && !(status >= 520 && status <= 527);
}

function streamHead(head: ResponseHead): ResponseHead {
  return { ...head, headers: withoutDigests(head.headers.without('content-length', 'etag')) };
}

/** Takes the event out of a stream that says what was used, which the client has not asked for: many take each event for a choice. */
class UsageFilter {
  readonly #reader: EventStreamReader;

  constructor(charactersMax: number) {
    this.#reader = new EventStreamReader(charactersMax);
  }

  /** What is held of an event. */
  get characters(): number {
    return this.#reader.characters;
  }

  take(chunk: Uint8Array): Uint8Array {
    const events = this.#reader.push(chunk);
    if (this.#reader.isTooLong)
      throw new ProxyError('origin_malformed', 'an event of the response is too long (llmResponseBytesMax)', {
        limit: 'llmResponseBytesMax',
      });
    return Buffer.from(
      events
        .filter(({ data }) => !isUsage(data))
        .map(eventText)
        .join(''),
    );
  }
}

function isUsage(data: string | undefined): boolean {
  if (data === undefined || !data.includes('"usage"')) return false;
  try {
    const event: unknown = JSON.parse(data);
    if (typeof event !== 'object' || event === null || !('choices' in event) || !('usage' in event))
      return false;
    return Array.isArray(event.choices) && event.choices.length === 0 && event.usage !== null;
  } catch {
    return false;
  }
}
