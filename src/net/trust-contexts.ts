// Secure contexts by what they trust: parsing a bundle of roots costs milliseconds, so it is done once for each set.

import { defaultLimits } from '../protocol/limits.ts';
import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { trustAnchors, type TrustAnchors } from './origin-chain.ts';

/** Further roots and client identity of one dial, PEM. */
export interface TrustSet {
  /** Beside the trust that all dials have. */
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

interface Trusted {
  readonly context: SecureContext;
  anchors: TrustAnchors | undefined;
}

export class TrustContexts {
  readonly #trust: readonly string[];
  readonly #contexts = new Map<string, Trusted>();
  /** Once they are needed. */
  #anchors: TrustAnchors | undefined;

  /** @param trust PEM certificates that every dial trusts */
  constructor(trust: readonly string[]) {
    this.#trust = trust;
  }

  /** The context of the set, made on first use. Throws OpenSSL's error for certificates or keys that do not parse. */
  get(set: TrustSet = {}): SecureContext {
    return this.#trusted(set).context;
  }

  /** The certificates that the set trusts. */
  anchors(set: TrustSet = {}): TrustAnchors {
    const common = (this.#anchors ??= trustAnchors(this.#trust));
    const { ca = [] } = set;
    if (ca.length === 0) return common;
    const trusted = this.#trusted(set);
    return (trusted.anchors ??= [...common, ...trustAnchors(ca)]);
  }

  #trusted(set: TrustSet): Trusted {
    const key = fingerprint(set);
    const known = this.#contexts.get(key);
    if (known !== undefined) {
      this.#contexts.delete(key);
      this.#contexts.set(key, known);
      return known;
    }
    const context = createSecureContext({
      // An empty list would mean the runtime's own roots; this one trusts nothing then.
      ca: [...this.#trust, ...(set.ca ?? [])],
      // What is named as trusted is trusted, an intermediate too: not all know the root above theirs.
      allowPartialTrustChain: true,
      minVersion: 'TLSv1.2',
      ...(set.cert === undefined ? {} : { cert: set.cert }),
      ...(set.key === undefined ? {} : { key: set.key }),
    });
    const trusted: Trusted = { context, anchors: undefined };
    this.#contexts.set(key, trusted);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > defaultLimits.certificateContextsMax && oldest !== undefined)
      this.#contexts.delete(oldest);
    return trusted;
  }
}

/** A digest, so that no key is kept as text of ours. */
function fingerprint({ ca, cert, key }: TrustSet): string {
  const parts = [ca?.join('\n') ?? '', cert ?? '', key ?? ''];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
