// What log-ins may cost before anybody is known: so many for an address, so many at once, and each of them once.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import { sourceKey } from '../admission/source-key.ts';

export class LogInBounds {
  /** In the order of their last log-in. */
  readonly #sources = new Map<string, TokenBucket>();
  /** States that came back, with the time from which they would be too old anyway. */
  readonly #used = new Map<string, number>();
  #running = 0;

  /** Counts one that begins. @throws ProxyError limit_exceeded */
  begin(address: string | undefined, nowMs: number): void {
    const { logInsPerSourceMax: burst, logInIntervalMs, logInSourcesMax } = defaultLimits;
    const source = sourceKey(address);
    const perSecond = 1000 / logInIntervalMs;
    const bucket = this.#sources.get(source) ?? new TokenBucket(perSecond, nowMs, burst);
    this.#sources.delete(source);
    this.#sources.set(source, bucket);
    if (this.#sources.size > logInSourcesMax) dropOldest(this.#sources);
    const seconds = bucket.take(perSecond, nowMs);
    if (seconds > 0)
      throw new ProxyError(
        'limit_exceeded',
        `too many log-ins were begun from here (logInsPerSourceMax); try again in ${seconds} s`,
        { limit: 'logInsPerSourceMax', retryAfterSeconds: seconds },
      );
  }

  /** Takes a state that came back, once. @throws ProxyError operator_unknown */
  use(state: string, untilMs: number, nowMs: number): void {
    const until = this.#used.get(state);
    if (until !== undefined && until > nowMs)
      throw new ProxyError('operator_unknown', 'this log-in was used already; begin another one');
    this.#used.delete(state);
    this.#used.set(state, untilMs);
    if (this.#used.size > defaultLimits.usedLogInsMax) dropOldest(this.#used);
  }

  /** A place among those that ask the provider, until it is disposed. @throws ProxyError limit_exceeded */
  enter(): Disposable {
    const { logInsAtOnceMax: max } = defaultLimits;
    if (this.#running >= max)
      throw new ProxyError('limit_exceeded', `${max} log-ins run already (logInsAtOnceMax); try again`, {
        limit: 'logInsAtOnceMax',
        retryAfterSeconds: 5,
      });
    this.#running += 1;
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (!isOver) this.#running -= 1;
        isOver = true;
      },
    };
  }
}

function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
