// Policies that come with a request: each is read on a thread of its own, and only so many at a time; so are replays.

import { readPolicyAside } from '../policies/policy-reading.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

type Read = typeof readPolicyAside;

export class PolicyReads {
  #count = 0;
  #replays = 0;

  /** Gives the function that ends it. @throws ProxyError limit_exceeded */
  beginReplay(): () => void {
    const { adminReplaysMax: max } = defaultLimits;
    if (this.#replays >= max)
      throw new ProxyError('limit_exceeded', `${max} policies are being replayed already (adminReplaysMax)`, {
        limit: 'adminReplaysMax',
        retryAfterSeconds: 1,
      });
    this.#replays += 1;
    return () => {
      this.#replays -= 1;
    };
  }

  /** As `readPolicyAside`. @throws ProxyError limit_exceeded */
  async read(sources: Parameters<Read>[0], names: Parameters<Read>[1]): ReturnType<Read> {
    const { adminPolicyReadsMax: max, policyReadTimeoutMs } = defaultLimits;
    if (this.#count >= max)
      throw new ProxyError('limit_exceeded', `${max} policies are being read already (adminPolicyReadsMax)`, {
        limit: 'adminPolicyReadsMax',
        retryAfterSeconds: 1,
      });
    this.#count += 1;
    try {
      return await readPolicyAside(sources, names, AbortSignal.timeout(policyReadTimeoutMs));
    } finally {
      this.#count -= 1;
    }
  }
}
