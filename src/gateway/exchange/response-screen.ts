// The beginning of a response, judged by the marks of its rule before any of it reaches the client. What comes behind it passes unjudged.

import { Buffer } from 'node:buffer';
import type { ScreenFacts } from '../../api/audit-facts.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import type { RuleScreen } from '../../policy/screen-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { LeakSought } from '../leaks/leak-search.ts';
import { type FoundMark, marksOf } from '../leaks/response-marks.ts';
import type { ResponseClient } from './response-client.ts';

export interface ResponseScreenOptions {
  readonly client: ResponseClient;
  readonly screen: RuleScreen;
  readonly canaries: LeakSought;
  readonly limits: Pick<Limits, 'screenBytesMax' | 'screenWaitMs'>;
  /** Takes room for what is held. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
  readonly onMark: (fact: ScreenFacts) => void;
  /** Ends the exchange while nothing of the response comes. */
  readonly fail: (error: ProxyError) => void;
}

/** Names the marks of a response, for programs that read it. */
const annotation = 'upstreamproxy-screened';

export class ResponseScreen implements Disposable {
  readonly client: ResponseClient;
  #held: HeldResponse | undefined;

  constructor(options: ResponseScreenOptions) {
    const { client } = options;
    this.client = {
      signal: client.signal,
      sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
      sendHead: (head, endsAtHead) => {
        if (endsAtHead === true || !isText(head)) client.sendHead(head, endsAtHead);
        else this.#held = new HeldResponse(head, options);
      },
      sendData: (chunk) => this.#held?.push(chunk) ?? client.sendData(chunk),
      onDrain: (listener) => client.onDrain(listener),
      sendEnd: (rawTrailers) => {
        this.#held?.judge();
        client.sendEnd(rawTrailers);
      },
    };
  }

  /** What is held goes nowhere any more. */
  [Symbol.dispose](): void {
    this.#held?.[Symbol.dispose]();
  }
}

/** What models read. A body without a type could be. */
function isText({ headers }: ResponseHead): boolean {
  const type = headers.all('content-type').join(', ').toLowerCase();
  return type === '' || /^text\/|json|xml|javascript|yaml|markdown|x-www-form-urlencoded/.test(type);
}

class HeldResponse implements Disposable {
  readonly #options: ResponseScreenOptions;
  readonly #head: ResponseHead;
  readonly #octets = new GatheredOctets();
  #isJudged = false;
  readonly #timer: NodeJS.Timeout;

  constructor(head: ResponseHead, options: ResponseScreenOptions) {
    this.#options = options;
    this.#head = head;
    options.keep(options.limits.screenBytesMax);
    // A stream of events says little for long: what came is judged, and goes on.
    this.#timer = setTimeout(() => this.#judgeLate(), options.limits.screenWaitMs).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#isJudged = true;
  }

  /** @throws ProxyError response_screened */
  push(chunk: Uint8Array): boolean {
    const { client, limits } = this.#options;
    if (this.#isJudged) return client.sendData(chunk);
    this.#octets.push(Buffer.from(chunk));
    if (this.#octets.length < limits.screenBytesMax) return true;
    return this.judge();
  }

  /** What came goes on, unless a mark is in it. @throws ProxyError response_screened */
  judge(): boolean {
    if (this.#isJudged) return true;
    this.#isJudged = true;
    clearTimeout(this.#timer);
    const { client, screen, canaries, limits, onMark } = this.#options;
    const octets = this.#octets.take();
    const coding = this.#head.headers.all('content-encoding').join(', ').trim().toLowerCase();
    const marks = new Set(screen.find);
    const isEncoded = coding !== '' && coding !== 'identity';
    const found = isEncoded
      ? [{ mark: 'unscreened' as const, name: 'encoded' }]
      : marksOf(octets.subarray(0, limits.screenBytesMax), { marks, canaries });
    for (const one of found) onMark({ ...one, action: actionOf(one, screen) });
    if (found.some((one) => actionOf(one, screen) === 'blocked')) throw blocked(found);
    const named = found.filter((one) => actionOf(one, screen) === 'annotated').map(({ mark }) => mark);
    client.sendHead(
      named.length === 0
        ? this.#head
        : { ...this.#head, headers: this.#head.headers.with(annotation, [...new Set(named)].join(', ')) },
    );
    return octets.length === 0 || client.sendData(octets);
  }

  #judgeLate(): void {
    try {
      this.judge();
    } catch (error) {
      if (error instanceof ProxyError) this.#options.fail(error);
      else throw error;
    }
  }
}

type Found = FoundMark | { readonly mark: 'unscreened'; readonly name: string };

/** A phrase stands in what warns of it, too: it is told. */
function actionOf({ mark }: Found, { on }: RuleScreen): ScreenFacts['action'] {
  if (on === 'alert' || mark === 'phrase') return on === 'annotate' ? 'annotated' : 'told';
  return on === 'block' ? 'blocked' : 'annotated';
}

function blocked(found: readonly Found[]): ProxyError {
  const marks = [...new Set(found.map(({ mark }) => mark))].join(', ');
  return new ProxyError(
    'response_screened',
    `the response has marks by which its rule blocks it (${marks}); it is not passed on`,
  );
}
