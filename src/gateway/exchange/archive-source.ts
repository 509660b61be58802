// Whether the cache may stand in for the origin of an archive, and what became of that. The request was judged before: a rule about packages
// allows it now, to this principal.

import type { AllowDecision, DecidedPackage, Principal, RequestAccess } from '../../policy/decision.ts';
import type { ArchiveKey } from '../cache/cache-entry.ts';
import type { ArchiveSource } from '../cache/asked-archive.ts';
import type { PackageCache } from '../cache/package-cache.ts';
import { firstOf } from '../cache/read-out.ts';
import type { ForwardRequest, ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import { askedOf, type PromisedPackage } from '../packages/asked-package.ts';
import type { Asking, AskScene } from './ask-registry.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { installScriptsOf } from './install-scripts.ts';
import { isKeepable, reachOf } from './keepable.ts';
import { askedPromise, promisedPackage } from './promised-package.ts';
import { ownerOf } from './spending-accounts.ts';

export interface PromisedArchive {
  readonly promised?: PromisedPackage | undefined;
  /** Under which the cache has it, where it may have it. */
  readonly cacheKey?: ArchiveKey | undefined;
}

/** What is promised of the archive that a request is for. Where it can be kept, the registry is asked for that. @throws ProxyError as promisedPackage */
export async function promisedArchive(
  decision: AllowDecision,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<PromisedArchive> {
  const { package: fetched } = decision;
  if (fetched === undefined) return {};
  const promised = await promisedPackage(fetched, access, asking, parts);
  const installScripts = installScriptsOf(fetched, promised);
  if (installScripts !== undefined) asking.record.knownOfPackage({ installScripts });
  const cacheKey = cacheKeyOf(decision, access, asking.principal, parts);
  if (cacheKey === undefined || parts.cache === undefined) return { promised };
  if (promised !== undefined)
    // What only a credential shows is promised to nobody else.
    return promised.asked.credentials.length > 0 ? { promised } : { promised, cacheKey };
  const digest = await parts.cache.promised(cacheKey);
  if (digest !== undefined) return { promised: { digest, asked: askedOf(fetched, access, []) }, cacheKey };
  const told = await toldInTime(fetched, parts.cache, { access, asking, parts });
  return told === undefined ? {} : { promised: told, cacheKey };
}

/**
 * Without it the archive comes as it would without a cache, so nothing that keeps the registry from being asked keeps it. What was asked in vain is not
 * asked at once again by the session, nor is anything of a registry that was too slow for it: of hundreds of archives each would wait.
 */
async function toldInTime(
  fetched: DecidedPackage,
  { untold }: PackageCache,
  { access, asking, parts }: AskScene,
): Promise<PromisedPackage | undefined> {
  const { registry, root, name } = askedOf(fetched, access, []);
  const { scheme, host, port, path } = root;
  const place = JSON.stringify([ownerOf(asking.principal), registry, scheme, host, port, path]);
  const question = JSON.stringify([place, name, fetched.promisedAs]);
  if (untold.has(place) || untold.has(question)) return undefined;
  let told: PromisedPackage | undefined;
  const asked = askedPromise(fetched, access, asking, parts).then(
    (promised) => (told = promised),
    () => undefined,
  );
  const { signal = new AbortController().signal } = asking;
  const came = await firstOf(asked, { signal, waitMs: parts.limits.cacheFollowQuietMs });
  if (came === 'late') untold.add(place);
  else if (came === 'there' && told === undefined) untold.add(question);
  return told;
}

/** Undefined: it carries a credential, or is changed on its way, or nothing can be promised of it. */
function cacheKeyOf(
  decision: AllowDecision,
  access: RequestAccess,
  principal: Principal,
  { cache }: Pick<ExchangeParts, 'cache'>,
): ArchiveKey | undefined {
  const { package: fetched } = decision;
  if (cache === undefined || fetched === undefined || !isKeepable(decision, access)) return undefined;
  if (fetched.digest === undefined && fetched.promisedAs === undefined) return undefined;
  // What is promised of a module is no digest of its archive.
  if (fetched.registry === 'go') return undefined;
  const { registry, root } = askedOf(fetched, access, []);
  const { scheme, host, port } = access.destination;
  return {
    registry,
    root: `${root.scheme}://${root.host}:${String(root.port)}${root.path}`,
    name: fetched.name,
    version: fetched.version,
    file: fetched.file ?? fetched.promisedAs,
    url: `${scheme}://${host}:${String(port)}${access.path}`,
    reach: reachOf(decision),
    ...(cache.share === 'principal' ? { principal: principal.id } : {}),
  };
}

interface StandIn {
  forward(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    admitted: Admitted,
    parts: ExchangeParts,
  ): Promise<Partial<ForwardResult>>;
}

/** What carries a request: the forwarder, or what stands in for the origin. */
export function carrierOf(
  standIn: StandIn | undefined,
  admitted: Admitted,
  parts: ExchangeParts,
): {
  readonly forward: (request: ForwardRequest, receiver: ResponseReceiver) => Promise<Partial<ForwardResult>>;
} {
  if (standIn === undefined) return parts.forwarder;
  return { forward: (request, receiver) => standIn.forward(request, receiver, admitted, parts) };
}

/** From where the archive of one exchange comes. */
export class ArchiveStandIn {
  readonly #cache: PackageCache;
  readonly #key: ArchiveKey;
  readonly #promised: PromisedPackage;
  readonly #record: ExchangeRecord;
  #source: ArchiveSource | undefined;

  private constructor(
    { cache, key, promised }: { cache: PackageCache; key: ArchiveKey; promised: PromisedPackage },
    record: ExchangeRecord,
  ) {
    this.#cache = cache;
    this.#key = key;
    this.#promised = promised;
    this.#record = record;
  }

  /** Undefined: the origin alone is asked. */
  static of(
    { cacheKey: key, promised, injected, validated, access }: Admitted,
    { cache }: Pick<ExchangeParts, 'cache'>,
    record: ExchangeRecord,
  ): ArchiveStandIn | undefined {
    if (cache === undefined || key === undefined || promised === undefined) return undefined;
    const isPlain = !('isOfHome' in injected) && injected.names.length === 0 && injected.tls === undefined;
    const { head } = validated;
    // What was changed after it was decided about is another request.
    const isSame = head.path === access.path && head.query === access.query;
    return isPlain && isSame ? new ArchiveStandIn({ cache, key, promised }, record) : undefined;
  }

  /** What comes is a file of the cache, or a part of one, that was looked at whole. */
  get isFromCache(): boolean {
    return this.#source === 'hit';
  }

  /** @throws ProxyError as a forwarder */
  async forward(
    request: ForwardRequest,
    receiver: ResponseReceiver,
    { access }: Admitted,
    { forwarder }: Pick<ExchangeParts, 'forwarder'>,
  ): Promise<Partial<ForwardResult>> {
    const [range, ...others] = access.headers.all('range');
    return await this.#cache.forward(forwarder, request, receiver, {
      key: this.#key,
      promised: this.#promised.digest,
      range: others.length > 0 ? undefined : range,
      takesParts: request.head.headers.has('range'),
      onSource: (source) => {
        this.#source = source;
        this.#record.archiveFrom(source === 'hit' || source === 'joined' ? source : undefined);
      },
    });
  }

  /** The file of the cache is not what it was kept as. */
  damaged(): void {
    void this.#cache.damaged(this.#key);
  }
}
