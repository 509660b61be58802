// The beginning of a response, judged by the marks and the deciders of its rule before any of it reaches the client. What comes behind it
// passes unjudged.

import { Buffer } from 'node:buffer';
import type { ScreenFacts } from '../../api/audit-facts.ts';
import type { HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import type { RuleScreen } from '../../policy/screen-rule.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { LeakSought } from '../leaks/leak-search.ts';
import { type FoundMark, marksOf } from '../leaks/response-marks.ts';
import type { ResponseClient } from './response-client.ts';
import type { Judgement, ResponseJudges } from './response-judges.ts';

export interface ResponseScreenOptions {
  readonly client: ResponseClient;
  readonly screen: RuleScreen;
  readonly judges: ResponseJudges;
  readonly canaries: LeakSought;
  /** The client asked for a stream of events, which says little for long; no origin makes a stream of what was asked for as something else. */
  readonly wantsEvents: boolean;
  readonly limits: Pick<Limits, 'screenBytesMax' | 'screenWaitMs'>;
  /** Takes room for what is held. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
  readonly onMark: (fact: ScreenFacts) => void;
  /** Told before the origin is left because of it: nothing of the response was sent. */
  readonly refuse: (error: ProxyError) => void;
}

/** Names the marks of a response, for programs that read it. */
const annotation = 'upstreamproxy-screened';

export class ResponseScreen implements Disposable {
  readonly client: ResponseClient;
  readonly #options: ResponseScreenOptions;
  readonly #leave = new AbortController();
  #held: HeldResponse | undefined;

  constructor(options: ResponseScreenOptions) {
    const { client } = options;
    this.#options = options;
    const leave = (error: ProxyError): void => {
      options.refuse(error);
      this.#leave.abort(error);
    };
    this.client = {
      signal: client.signal,
      sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
      sendHead: (head, endsAtHead) => {
        if (endsAtHead === true || !isText(head)) client.sendHead(head, endsAtHead);
        else this.#held = new HeldResponse(head, options, leave);
      },
      sendData: (chunk) => this.#held?.push(chunk) ?? client.sendData(chunk),
      onDrain: (listener) => {
        if (this.#held === undefined) client.onDrain(listener);
        else this.#held.onDrain(listener);
      },
      sendEnd: (rawTrailers) => {
        if (this.#held === undefined) client.sendEnd(rawTrailers);
        else this.#held.end(rawTrailers);
      },
    };
  }

  /** The fields of a response that switches to what nobody looks into. @throws ProxyError response_screened */
  switched(headers: HeaderList): HeaderList {
    const found = [{ mark: 'unscreened' as const, name: 'websocket' }];
    const fault = told(found, this.#options);
    if (fault !== undefined) throw fault;
    return annotated(headers, found, this.#options.screen);
  }

  /** Ends what is asked of the origin where what came first is refused while nothing more comes. */
  signalWith(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#leave.signal]);
  }

  /** The deciders have said what they say, and what is held went on. @throws ProxyError response_screened */
  async sent(): Promise<void> {
    await this.#held?.judged();
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
  readonly #leave: (error: ProxyError) => void;
  readonly #octets = new GatheredOctets();
  readonly #isStream: boolean;
  #timer: NodeJS.Timeout | undefined;
  #state: 'holding' | 'asking' | 'passing' | 'over' = 'holding';
  #refusal: ProxyError | undefined;
  readonly #ended = new AbortController();
  #asking: Promise<void> | undefined;
  /** What comes while deciders are asked. */
  readonly #behind: Uint8Array[] = [];
  #trailers: readonly string[] | undefined;
  #listeners: (() => void)[] = [];

  constructor(head: ResponseHead, options: ResponseScreenOptions, leave: (error: ProxyError) => void) {
    this.#options = options;
    this.#head = head;
    this.#leave = leave;
    options.keep(options.limits.screenBytesMax);
    // The excerpt as text, and in the question.
    if (!options.judges.isEmpty) options.keep(3 * options.limits.screenBytesMax);
    this.#isStream = options.wantsEvents && isEvents(head.headers.all('content-type'));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#state = 'over';
    this.#behind.length = 0;
    this.#ended.abort();
  }

  /** @throws ProxyError response_screened */
  push(chunk: Uint8Array): boolean {
    const { client, limits, keep } = this.#options;
    switch (this.#state) {
      case 'over':
        if (this.#refusal !== undefined) throw this.#refusal;
        return false;
      case 'passing':
        return client.sendData(chunk);
      case 'asking':
        keep(chunk.byteLength);
        this.#behind.push(Buffer.from(chunk));
        return false;
      case 'holding':
        // From here on it would wait for what may not come for long. Before, there is nothing to judge.
        if (this.#isStream && chunk.byteLength > 0)
          this.#timer ??= setTimeout(() => this.#judgeLate(), limits.screenWaitMs).unref();
        this.#octets.push(Buffer.from(chunk));
        return this.#octets.length < limits.screenBytesMax || this.#judge(false);
    }
  }

  onDrain(listener: () => void): void {
    if (this.#state === 'asking') this.#listeners.push(listener);
    else this.#options.client.onDrain(listener);
  }

  /** @throws ProxyError response_screened */
  end(rawTrailers: readonly string[]): void {
    if (this.#state === 'holding') this.#judge(true);
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#asking === undefined || this.#state === 'passing') this.#options.client.sendEnd(rawTrailers);
    else this.#trailers = rawTrailers;
  }

  async judged(): Promise<void> {
    await this.#asking;
  }

  /** What came goes on, unless a mark is in it; false: not yet, or not so fast. @throws ProxyError response_screened */
  #judge(isWhole: boolean, isLate = false): boolean {
    clearTimeout(this.#timer);
    const { screen, canaries, limits, judges } = this.#options;
    const octets = this.#octets.take();
    const coding = this.#head.headers.all('content-encoding').join(', ').trim().toLowerCase();
    const marks = new Set(screen.find);
    const isEncoded = coding !== '' && coding !== 'identity';
    const excerpt = octets.subarray(0, limits.screenBytesMax);
    const found: readonly Found[] = isEncoded
      ? [{ mark: 'unscreened', name: 'encoded' }]
      : [...marksOf(excerpt, { marks, canaries }), ...(isLate ? [streamMark] : [])];
    this.#tell(found);
    if (isEncoded || judges.isEmpty) {
      this.#state = 'passing';
      return this.#send(found, octets);
    }
    this.#state = 'asking';
    this.#asking = this.#ask(found, octets, isWhole);
    // Who waits for it is told.
    this.#asking.catch(() => {});
    return false;
  }

  async #ask(found: readonly Found[], octets: Uint8Array, isWhole: boolean): Promise<void> {
    const { client, judges, limits } = this.#options;
    const signal = AbortSignal.any([client.signal, this.#ended.signal]);
    const { status, headers } = this.#head;
    const excerpt = octets.subarray(0, limits.screenBytesMax);
    try {
      const said = await judges.judge({ status, headers, excerpt, isWhole }, signal);
      if (this.#ended.signal.aborted) return;
      this.#tell(said);
      this.#state = 'passing';
      const isFlowing = this.#send([...found, ...said], octets, this.#behind.splice(0));
      this.#goOn(isFlowing);
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      const fault = asProxyError(error);
      this.#refusal = fault;
      this.#state = 'over';
      this.#leave(fault);
      throw fault;
    }
  }

  #goOn(isFlowing: boolean): void {
    const { client } = this.#options;
    if (this.#trailers !== undefined) client.sendEnd(this.#trailers);
    for (const listener of this.#listeners.splice(0))
      if (isFlowing) listener();
      else client.onDrain(listener);
  }

  /** @throws ProxyError response_screened */
  #tell(found: readonly Found[]): void {
    const fault = told(found, this.#options);
    if (fault === undefined) return;
    this.#state = 'over';
    throw (this.#refusal = fault);
  }

  #send(found: readonly Found[], octets: Uint8Array, behind: readonly Uint8Array[] = []): boolean {
    const { client, screen } = this.#options;
    client.sendHead({ ...this.#head, headers: annotated(this.#head.headers, found, screen) });
    let isFlowing = true;
    for (const one of [octets, ...behind]) if (one.length > 0) isFlowing = client.sendData(one);
    return isFlowing;
  }

  #judgeLate(): void {
    try {
      if (this.#state === 'holding') this.#judge(false, true);
    } catch (error) {
      // Nothing was sent, so its client is told why.
      this.#leave(asProxyError(error));
    }
  }
}

/** `isWeak`: it alone blocks nothing. */
interface Unscreened {
  readonly mark: 'unscreened';
  readonly name: string;
  readonly isWeak?: true;
}

type Found = FoundMark | Judgement | Unscreened;

/** What comes behind the time is not judged. Whoever asked for events would get none else. */
const streamMark: Unscreened = { mark: 'unscreened', name: 'stream', isWeak: true };

function isEvents(types: readonly string[]): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(types.join(', '));
}

/** A phrase stands in what warns of it, too: it is told. */
function actionOf(one: Found, { on }: RuleScreen): ScreenFacts['action'] {
  if ('isPassed' in one && one.isPassed) return 'told';
  const isWeak = one.mark === 'phrase' || 'isWeak' in one;
  if (on === 'alert' || isWeak) return on === 'annotate' ? 'annotated' : 'told';
  return on === 'block' ? 'blocked' : 'annotated';
}

/** Tells the audit; undefined: none of it keeps the response back. */
function told(
  found: readonly Found[],
  { screen, onMark }: Pick<ResponseScreenOptions, 'screen' | 'onMark'>,
): ProxyError | undefined {
  for (const one of found) onMark({ mark: one.mark, name: one.name, action: actionOf(one, screen) });
  return found.some((one) => actionOf(one, screen) === 'blocked') ? blocked(found) : undefined;
}

function annotated(headers: HeaderList, found: readonly Found[], screen: RuleScreen): HeaderList {
  const named = found.filter((one) => actionOf(one, screen) === 'annotated').map(({ mark }) => mark);
  return named.length === 0 ? headers : headers.with(annotation, [...new Set(named)].join(', '));
}

function blocked(found: readonly Found[]): ProxyError {
  const marks = [...new Set(found.map(({ mark }) => mark))].join(', ');
  const limit = found.flatMap((one) => ('limit' in one ? (one.limit ?? []) : []))[0];
  return new ProxyError(
    'response_screened',
    `the response has marks by which its rule blocks it (${marks}); it is not passed on`,
    limit === undefined ? {} : { limit },
  );
}
