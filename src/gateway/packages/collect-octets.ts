// Takes a response of a registry whole.

import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ResponseReceiver } from '../forward/forwarder.ts';
import { roomStep } from './collect-times.ts';

interface WholeResponse {
  readonly status: number;
  readonly octets: Uint8Array;
}

interface CollectBounds {
  readonly limit:
    | 'packagePromiseBytesMax'
    | 'packageProvenanceBytesMax'
    | 'packageMetadataBytesMax'
    | 'imageManifestBytesMax';
  readonly bytesMax: number;
  /** So many times its octets are held once it is read. */
  readonly factor: number;
}

const ofPromise: CollectBounds = {
  limit: 'packagePromiseBytesMax',
  bytesMax: defaultLimits.packagePromiseBytesMax,
  factor: 1,
};

export const ofProvenance: CollectBounds = {
  limit: 'packageProvenanceBytesMax',
  bytesMax: defaultLimits.packageProvenanceBytesMax,
  factor: 4,
};

export class CollectOctets implements ResponseReceiver {
  readonly #octets = new GatheredOctets();
  readonly #keep: (octets: number) => void;
  readonly #spend: ((octets: number) => Promise<undefined> | undefined) | undefined;
  readonly #bounds: CollectBounds;
  #room = 0;
  #status = 0;
  #isWhole = false;

  /** @param keep takes room for what is held. @param spend pays for what comes. @throws ProxyError limit_exceeded */
  constructor(
    keep: (octets: number) => void,
    spend?: (octets: number) => Promise<undefined> | undefined,
    bounds = ofPromise,
  ) {
    this.#keep = keep;
    this.#spend = spend;
    this.#bounds = bounds;
  }

  onInformation(): void {
    return;
  }

  onHead(status: number): void {
    this.#status = status;
  }

  /** Nothing more comes before this was paid for. */
  onData(chunk: Uint8Array, resume: () => void): boolean {
    const { limit, bytesMax, factor } = this.#bounds;
    const length = this.#octets.length + chunk.byteLength;
    if (length > bytesMax)
      throw new ProxyError(
        'origin_malformed',
        `what the registry tells of the package is too long (${limit})`,
        { limit },
      );
    const step = Math.min(roomStep, bytesMax);
    for (; this.#room < factor * length; this.#room += step) this.#keep(step);
    this.#octets.push(chunk);
    const unpaid = this.#spend?.(chunk.byteLength);
    void unpaid?.then(resume);
    return unpaid === undefined;
  }

  onTrailers(): void {
    return;
  }

  onComplete(): void {
    this.#isWhole = true;
  }

  /** Undefined: it did not come whole. */
  told(): WholeResponse | undefined {
    return this.#isWhole ? { status: this.#status, octets: this.#octets.take() } : undefined;
  }
}
