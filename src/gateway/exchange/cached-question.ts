// A question of the gateway itself about a package, with the cache between it and the registry: that is asked each time, for others may rest on
// what it says, but has to say nothing again that it said before, and may be away.

import type { Principal } from '../../policy/decision.ts';
import type { Forwarder, ForwardRequest, ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import type { CollectTimes } from '../packages/collect-times.ts';
import type { Question } from './ask-registry.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { metadataKeyOf } from './metadata-key.ts';

export class CachedQuestion implements Pick<Forwarder, 'forward'> {
  readonly #question: Question;
  readonly #principal: Principal;
  readonly #parts: ExchangeParts;
  #collected: CollectTimes | undefined;
  #toldMs: number | undefined;

  constructor(question: Question, principal: Principal, parts: ExchangeParts) {
    this.#question = question;
    this.#principal = principal;
    this.#parts = parts;
  }

  /** When the registry said it; undefined: now. */
  get toldMs(): number | undefined {
    return this.#toldMs;
  }

  reads(collected: CollectTimes): CollectTimes {
    this.#collected = collected;
    return collected;
  }

  async forward(request: ForwardRequest, receiver: ResponseReceiver): Promise<ForwardResult> {
    const { forwarder, metadata: cache } = this.#parts;
    const { head, decision, access } = this.#question;
    const whose = cache?.share === 'principal' ? this.#principal.id : undefined;
    const isSame = request.head.path === head.path;
    const key = isSame ? metadataKeyOf(decision, access, head.headers.all('accept'), whose) : undefined;
    if (cache === undefined || key === undefined) return await forwarder.forward(request, receiver);
    const { protocol = 'http/1.1' } = await cache.forward(forwarder, request, receiver, {
      key,
      cacheControl: '',
      ifNoneMatch: [],
      isAskedAnew: true,
      check: () => ({
        onHead: () => undefined,
        onData: () => undefined,
        isReadable: () => this.#collected?.told() !== undefined,
        [Symbol.dispose]: () => undefined,
      }),
      onSource: (source, toldMs) => {
        this.#toldMs = source === 'stale' ? toldMs : undefined;
      },
    });
    return { protocol };
  }
}
