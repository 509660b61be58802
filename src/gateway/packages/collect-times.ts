// Takes what a registry says of a package, and keeps when its versions came out.

import { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import {
  type ListedVersion,
  type ListReader,
  listReaderOf,
} from '../../understand/packages/listed-versions.ts';
import type { ResponseReceiver } from '../forward/forwarder.ts';
import type { AskedPackage, ToldVersions } from './publish-times.ts';

/** Room is taken in steps. */
export const roomStep = 262_144;
/** A list that is read in one piece takes so many times its octets, as text and as values. */
export const parsedFactor = 5;

/** With its versions, where it was a list of them. */
export type ToldList = ToldVersions & { readonly versions?: readonly ListedVersion[] };

const untold: ToldList = { times: new Map(), digests: new Map() };

type CollectLimits = Pick<Limits, 'packageMetadataBytesMax' | 'packageVersionsMax'>;

export class CollectTimes implements ResponseReceiver {
  readonly #limits: CollectLimits;
  readonly #reader: ListReader | undefined;
  /** Of registries whose lists are read in one piece. */
  readonly #octets: GatheredOctets | undefined;
  readonly #keep: (octets: number) => void;
  readonly #spend: ((octets: number) => Promise<undefined> | undefined) | undefined;
  #isRead = false;
  /** The registry knows no such package, and has said so. */
  #isNone = false;
  #bytes = 0;
  #room = 0;
  #read: ToldVersions | undefined;

  /** @param keep takes room for what is held. @param spend pays for what comes. @throws ProxyError limit_exceeded */
  constructor(
    { registry, name }: Pick<AskedPackage, 'registry' | 'name'>,
    limits: CollectLimits,
    keep: (octets: number) => void,
    spend?: (octets: number) => Promise<undefined> | undefined,
  ) {
    this.#limits = limits;
    this.#keep = keep;
    this.#spend = spend;
    const { packageVersionsMax: versionsMax } = limits;
    this.#reader = listReaderOf(registry, { versionsMax, depthMax: defaultLimits.jsonDepthMax }, name);
    this.#octets = registry === 'npm' ? undefined : new GatheredOctets();
  }

  onInformation(): void {
    return;
  }

  onHead(status: number, rawHeaders: readonly string[]): void {
    const coding = HeaderList.fromRaw(rawHeaders).all('content-encoding').join(', ').trim().toLowerCase();
    this.#isRead = status === 200 && (coding === '' || coding === 'identity');
    this.#isNone = status === 404 || status === 410;
  }

  /** Nothing more comes before this was paid for. What it cannot be paid with ends the request. */
  onData(chunk: Uint8Array, resume: () => void): boolean {
    const unpaid = this.#spend?.(chunk.byteLength);
    this.#take(chunk);
    void unpaid?.then(resume);
    return unpaid === undefined;
  }

  #take(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#limits.packageMetadataBytesMax)
      throw new ProxyError(
        'origin_malformed',
        'what the registry says of the package is too long to find when its versions came out (packageMetadataBytesMax)',
        { limit: 'packageMetadataBytesMax' },
      );
    if (!this.#isRead) return;
    // Of npm nothing is held but names, places and times.
    const held = this.#octets === undefined ? this.#bytes / 4 : parsedFactor * this.#bytes;
    for (; this.#room < held; this.#room += roomStep) this.#keep(roomStep);
    this.#reader?.push(chunk);
    this.#octets?.push(chunk);
  }

  onTrailers(): void {
    return;
  }

  onComplete(): void {
    return;
  }

  /** Empty where the registry knows of none. Undefined: it said nothing that can be read, and may the next time. */
  told(): ToldList | undefined {
    if (this.#isNone) return untold;
    if (!this.#isRead) return undefined;
    if (this.#read !== undefined) return this.#read;
    const read = this.#reader?.end(this.#octets?.take() ?? new Uint8Array());
    return read === undefined || read instanceof UnreadableBody ? undefined : (this.#read = read);
  }
}
