// Registries that could not be asked: for some seconds nobody waits for them who can be served without.

import type { ForwardRequest } from '../forward/forwarder.ts';
import { HeaderList } from '../../http/header-list.ts';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { MetadataFetch } from './metadata-fetch.ts';
import type { Freshness } from './metadata-freshness.ts';

export class AwayRegistries {
  readonly #clock: () => number;
  /** Until when, the oldest first. */
  readonly #until = new Map<string, number>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  isAway(place: string): boolean {
    const leftMs = (this.#until.get(place) ?? 0) - this.#clock();
    return leftMs > 0 && leftMs <= defaultLimits.cacheAwayMs;
  }

  found(place: string): void {
    this.#until.delete(place);
    this.#until.set(place, this.#clock() + defaultLimits.cacheAwayMs);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= defaultLimits.cacheAwayPlacesMax) break;
      this.#until.delete(oldest);
    }
  }
}

/** A registry that does not say anything in time, where something is here that may be used: the wait ends with the head. */
export class Patience implements Disposable {
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param waitMs undefined: there is nothing */
  constructor(waitMs: number | undefined, fetch: Pick<MetadataFetch, 'stage'>) {
    if (waitMs === undefined) return;
    this.#timer = setTimeout(() => {
      if (fetch.stage.kind === 'asked') this.#end.abort();
    }, waitMs);
  }

  /** Whether what ended the question before its head means that the registry is away. One that is another one than it should be is not. */
  meansAway(error: unknown): boolean {
    if (this.#end.signal.aborted) return true;
    const { code } = asProxyError(error);
    return code === 'origin_unreachable' || code === 'timeout' || code === 'origin_truncated';
  }

  /** The request with the validators of what is here, and none of the client. */
  asked(request: ForwardRequest, kept: Freshness | undefined): ForwardRequest {
    const asked = withValidators(request, kept);
    if (this.#timer === undefined) return asked;
    return { ...asked, signal: AbortSignal.any([request.signal, this.#end.signal]) };
  }

  /** What it was asked for is known. */
  end(): void {
    this.#end.abort();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** Whole, and not encoded. */
export function withValidators(request: ForwardRequest, kept: Freshness | undefined): ForwardRequest {
  const { head } = request;
  const plain = head.headers
    .without('range', 'if-range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since')
    .with('accept-encoding', 'identity');
  return { ...request, head: { ...head, headers: HeaderList.of([...plain, ...(kept?.validators ?? [])]) } };
}
