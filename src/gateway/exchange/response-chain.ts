// All that stands between the origin's response and the client, whatever was asked for: what is searched, screened, shown and kept.

import type { ResponseReceiver } from '../forward/forwarder.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { ArchiveStandIn } from './archive-source.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import type { IdLearner } from './learn-ids.ts';
import { InsideGuard } from './inside-guard.ts';
import type { ModelResponse } from './model-response.ts';
import type { PackageFilter } from './package-filter.ts';
import { RefusingStart } from './refusing-response.ts';
import { ResponseRelay } from './response-relay.ts';
import type { ResponseRoom } from './response-room.ts';
import type { ResponseScreen } from './response-screen.ts';
import { screenOf } from './screen-of.ts';
import { shownResponse } from './shown-response.ts';
import { TokenGuard } from './token-guard.ts';

export interface ChainOptions {
  readonly admitted: Admitted;
  readonly record: ExchangeRecord;
  readonly room: ResponseRoom;
  /** Of a list of whose ids is learned. */
  readonly learner?: IdLearner | undefined;
  readonly model?: ModelResponse | undefined;
  readonly standIn?: ArchiveStandIn | undefined;
  /** When the registry said it, where that was before. */
  readonly toldMs?: (() => number | undefined) | undefined;
  /** Ends the exchange in the middle. */
  readonly end: (error: ProxyError) => void;
  /** It is the reason why the exchange ends, whatever ends first. */
  readonly refuse: (error: ProxyError) => void;
}

interface ChainMembers {
  readonly relay: ResponseRelay;
  readonly screen: ResponseScreen | undefined;
  readonly shown: PackageFilter;
  readonly guard: TokenGuard | InsideGuard | undefined;
  readonly refusing: RefusingStart | undefined;
}

export class ResponseChain implements Disposable {
  readonly relay: ResponseRelay;
  readonly screen: ResponseScreen | undefined;
  readonly #shown: PackageFilter;
  readonly #guard: TokenGuard | InsideGuard | undefined;
  readonly #refusing: RefusingStart | undefined;

  readonly #options: ChainOptions;

  private constructor({ relay, screen, shown, guard, refusing }: ChainMembers, options: ChainOptions) {
    this.relay = relay;
    this.screen = screen;
    this.#shown = shown;
    this.#guard = guard;
    this.#refusing = refusing;
    this.#options = options;
  }

  /** The room is the chain's from here on: one that cannot be opened gives it back. */
  static open(
    client: ClientExchange,
    scene: ExchangeScene,
    parts: ExchangeParts,
    options: ChainOptions,
  ): ResponseChain {
    try {
      return ResponseChain.#opened(client, scene, parts, options);
    } catch (error) {
      options.room[Symbol.dispose]();
      throw error;
    }
  }

  static #opened(
    client: ClientExchange,
    scene: ExchangeScene,
    parts: ExchangeParts,
    options: ChainOptions,
  ): ResponseChain {
    const { admitted, record, room, learner, model, standIn, toldMs, end, refuse } = options;
    const screen = screenOf(client, parts, { scene, admitted, record, room, refuse });
    const made = { admitted, record, room, learner, model, standIn, toldMs };
    const shown = shownResponse(screen?.client ?? client, scene, parts, made);
    const { validated, decision, injected, capture, spendBytes } = admitted;
    const refusing = RefusingStart.of(injected);
    const relay = new ResponseRelay({
      client: shown.client,
      fail: end,
      searched: injected.searched,
      quietMs: decision.scrub?.quietMs,
      decode: injected.decode,
      request: validated.head,
      limits: parts.limits,
      spendBytes,
      onText: bothOf(capture?.onText, refusing?.onText),
      room,
      onStatus: (status, headers) => {
        record.responded(status);
        refusing?.onHead(status, headers);
      },
    });
    const guard = guardOf(injected, relay, validated.head.destination.host);
    if ('inside' in injected) injected.inside?.startDeadline(end);
    return new ResponseChain({ relay, screen, shown, guard, refusing }, options);
  }

  get receiver(): ResponseReceiver {
    return this.#guard ?? this.relay;
  }

  /**
   * The origin's response was complete: resolves when all of it that may is with the client; undefined if it is by now.
   * @throws ProxyError
   */
  end(): Promise<void> | undefined {
    const isThere = this.#guard === undefined && this.relay.isWhole && this.#shown.sent === undefined;
    return isThere && this.screen === undefined ? undefined : this.#sent();
  }

  async #sent(): Promise<void> {
    await this.#guard?.end();
    await this.relay.end();
    await this.#shown.sent?.();
    await this.screen?.sent();
  }

  /** What there was of it; once. */
  told(nowMs: number): void {
    const { admitted, record, model } = this.#options;
    const { status, proofNonce } = this.relay;
    // A token whose proof lacked it was not looked at.
    const isAsked = proofNonce !== undefined && admitted.injected.onNonce?.(proofNonce) === true;
    if (status === 401 && !isAsked) admitted.injected.onRejected(nowMs);
    this.#refusing?.tell(nowMs);
    model?.tell(record);
    record.received(this.relay.bodyBytes);
    record.scrubbed(this.relay.scrubbed);
    admitted.capture?.keep(record);
  }

  [Symbol.dispose](): void {
    this.relay[Symbol.dispose]();
    this.#shown[Symbol.dispose]?.();
    this.screen?.[Symbol.dispose]();
    this.#options.admitted.capture?.[Symbol.dispose]();
  }
}

/**
 * What is refused of a response that gives the workload a token of its caller's home; and what is kept of one that a tool gets by logging
 * in.
 */
function guardOf(
  injected: Admitted['injected'],
  relay: ResponseRelay,
  host: string,
): TokenGuard | InsideGuard | undefined {
  if ('isOfHome' in injected) return injected.looksForTokens ? new TokenGuard(relay, host) : undefined;
  return 'inside' in injected && injected.inside !== undefined
    ? new InsideGuard(relay, host, injected.inside)
    : undefined;
}

type OnText = (chunk: Uint8Array) => void;

function bothOf(first: OnText | undefined, second: OnText | undefined): OnText | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return (chunk) => {
    first(chunk);
    second(chunk);
  };
}
