// Whether the cache may stand in for a registry that is asked what versions a package has, and what became of that. Who is shown which of them is
// decided behind it.

import { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Reservation } from '../../protocol/held-octets.ts';
import type { ArchiveKey } from '../cache/cache-entry.ts';
import type { MetadataSource } from '../cache/asked-metadata.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import type { MetadataCheck } from '../cache/metadata-fetch.ts';
import type { ForwardRequest, ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import { CollectTimes } from '../packages/collect-times.ts';
import type { AskedPackage } from '../packages/publish-times.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { isOfMetadata } from './metadata-form.ts';
import { listedBy, metadataKeyOf } from './metadata-key.ts';
import { registryFileCheck } from './registry-file-check.ts';

/** Reads what comes as rules read it. Nothing is kept of what they cannot read. */
function metadataCheck(
  asked: Pick<AskedPackage, 'registry' | 'name'>,
  sessionId: string,
  { limits, held }: Pick<ExchangeParts, 'limits' | 'held'>,
): MetadataCheck {
  const rooms: Reservation[] = [];
  const keep = (octets: number): void => void rooms.push(held.reserve(sessionId, octets));
  const collected = new CollectTimes(asked, limits, keep);
  return {
    onHead: (status, rawHeaders) => {
      if (!isOfMetadata(HeaderList.fromRaw(rawHeaders), asked.registry))
        throw new ProxyError('origin_malformed', 'it is of another type');
      collected.onHead(status, rawHeaders);
    },
    onData: (chunk) => void collected.onData(chunk, () => undefined),
    isReadable: () => collected.told() !== undefined,
    [Symbol.dispose]: () => {
      for (const room of rooms.splice(0)) room.release();
    },
  };
}

/** From where the metadata of one exchange comes. */
export class MetadataStandIn {
  readonly #cache: MetadataCache;
  readonly #key: ArchiveKey;
  readonly #record: ExchangeRecord;
  #toldMs: number | undefined;

  private constructor(cache: MetadataCache, key: ArchiveKey, record: ExchangeRecord) {
    this.#cache = cache;
    this.#key = key;
    this.#record = record;
  }

  /** Undefined: the registry alone is asked. */
  static of(
    admitted: Admitted,
    principal: string,
    { metadata: cache }: Pick<ExchangeParts, 'metadata'>,
    record: ExchangeRecord,
  ): MetadataStandIn | undefined {
    if (cache === undefined) return undefined;
    const { injected, validated, access, decision, promised } = admitted;
    const { head } = validated;
    const isPlain = !('isOfHome' in injected) && injected.names.length === 0 && injected.tls === undefined;
    // What was changed after it was decided about is another request. A part, and a head, are as the registry says.
    const isSame = head.path === access.path && head.query === access.query;
    if (!isPlain || !isSame || promised !== undefined) return undefined;
    if (
      head.method !== 'GET' ||
      head.headers.has('range') ||
      (access.method !== 'GET' && decision.package?.hides !== true)
    )
      return undefined;
    const whose = cache.share === 'principal' ? principal : undefined;
    const key = metadataKeyOf(decision, access, head.headers.all('accept'), whose);
    return key === undefined ? undefined : new MetadataStandIn(cache, key, record);
  }

  /** When the registry said what is shown; undefined: now. */
  readonly toldMs = (): number | undefined => this.#toldMs;

  /** @throws ProxyError as a forwarder */
  async forward(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    { access, decision }: Admitted,
    parts: ExchangeParts,
  ): Promise<Partial<ForwardResult>> {
    const asked = listedBy(decision);
    if (asked === undefined) return await parts.forwarder.forward(request, receiver);
    const { headers } = access;
    return await this.#cache.forward(parts.forwarder, request, receiver, {
      key: this.#key,
      cacheControl: [...headers.all('cache-control'), ...headers.all('pragma')].join(','),
      // What is filtered has tags of its own.
      ifNoneMatch: asked.hides === true ? [] : headers.all('if-none-match'),
      check: () =>
        decision.registryFile === undefined
          ? metadataCheck(asked, request.sessionId, parts)
          : registryFileCheck(),
      onSource: (source, toldMs) => {
        this.#toldMs = toldMs;
        this.#record.archiveFrom(toldOf(source));
      },
    });
  }
}

/** What the audit says of it. */
function toldOf(source: MetadataSource): 'hit' | 'joined' | 'revalidated' | 'stale' | undefined {
  return source === 'fetched' || source === 'passed' ? undefined : source;
}
