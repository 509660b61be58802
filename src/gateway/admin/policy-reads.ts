// Policies that come with a request: each is read on a thread of its own, and only so many at a time; so are replays. What is published
// has a count of its own, so that who may only look keeps nobody from closing what is open.

import { readPolicyAside } from '../policies/policy-reading.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

type Read = typeof readPolicyAside;
/** What a policy is read for. */
export type ReadPurpose = 'look' | 'publish';

const limitNames = { look: 'adminPolicyReadsMax', publish: 'adminPublishReadsMax' } as const;

export class PolicyReads {
  readonly #read: Read;
  readonly #counts = { look: 0, publish: 0 };
  #replays = 0;

  constructor(read: Read = readPolicyAside) {
    this.#read = read;
  }

  /** Until it is disposed. @throws ProxyError limit_exceeded */
  beginReplay(): Disposable {
    const { adminReplaysMax: max } = defaultLimits;
    if (this.#replays >= max)
      throw new ProxyError('limit_exceeded', `${max} policies are being replayed already (adminReplaysMax)`, {
        limit: 'adminReplaysMax',
        retryAfterSeconds: 1,
      });
    this.#replays += 1;
    return {
      [Symbol.dispose]: () => {
        this.#replays -= 1;
      },
    };
  }

  /** As `readPolicyAside`. @throws ProxyError limit_exceeded */
  async read(
    sources: Parameters<Read>[0],
    names: Parameters<Read>[1],
    purpose: ReadPurpose = 'look',
  ): ReturnType<Read> {
    const limit = limitNames[purpose];
    const max = defaultLimits[limit];
    if (this.#counts[purpose] >= max)
      throw new ProxyError('limit_exceeded', `${max} policies are being read already (${limit})`, {
        limit,
        retryAfterSeconds: 1,
      });
    this.#counts[purpose] += 1;
    try {
      return await this.#read(sources, names, AbortSignal.timeout(defaultLimits.policyReadTimeoutMs));
    } finally {
      this.#counts[purpose] -= 1;
    }
  }
}
