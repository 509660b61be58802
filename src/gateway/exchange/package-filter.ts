// What a registry tells of a package on its way to the client: without the versions that the session may not fetch. What decides is the
// rule about each archive; but a client that never hears of a version takes another one by itself.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import type {
  AllowDecision,
  DecidedPackage,
  Policy,
  Principal,
  RequestAccess,
} from '../../policy/decision.ts';
import { isRootOf } from '../../policy/known-package.ts';
import { advisoryText } from '../../policy/package-advisories.ts';
import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import {
  type ListedVersions,
  type ListReader,
  listReaderOf,
  type ShownVersions,
} from '../../understand/packages/listed-versions.ts';
import type { PackageRegistry } from '../../understand/packages/package-request.ts';
import { versionOrders } from '../../understand/packages/version-order.ts';
import { simplePage } from '../../understand/packages/simple-page.ts';
import { askedOf, isAskedPlainly } from '../packages/asked-package.ts';
import { parsedFactor, roomStep } from '../packages/collect-times.ts';
import { metadataType } from '../packages/metadata-address.ts';
import { listedTimes, type TimesScene } from '../packages/listed-times.ts';
import type { VersionTimes } from '../packages/publish-times.ts';
import { withoutDigests } from '../scrub/searchable-response.ts';
import { isOfMetadata, listedRegistries } from './metadata-form.ts';
import type { ResponseClient } from './response-client.ts';
import { advisoryOf, isShown, keyOf, nothingLeft, whyHidden } from './shown-versions.ts';

export interface PackageFilterOptions extends Omit<TimesScene, 'toldMs'> {
  readonly client: ResponseClient;
  readonly principal: Principal;
  readonly access: RequestAccess;
  readonly asked: DecidedPackage;
  /** Those that the registry is asked with, by name. */
  readonly credentials: readonly string[];
  /** When the registry said it, where that was before. */
  readonly toldMs?: () => number | undefined;
  readonly policy: () => Policy;
  readonly clock: () => number;
  readonly limits: Limits;
  /** Takes room for what is held of a response. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
  readonly onHidden: (count: number, versions: readonly string[]) => void;
}

export interface PackageFilter extends Partial<Disposable> {
  readonly client: ResponseClient;
  /** When all of the response has been handed on; absent: it goes on as it comes. @throws ProxyError if it could not be read */
  sent?(): Promise<void>;
}

/** The package whose metadata is shown in part; undefined: the response goes on as it is. */
export function filteredPackage({ package: asked }: AllowDecision): DecidedPackage | undefined {
  return asked?.hides === true && listedRegistries.has(asked.registry) ? asked : undefined;
}

/** The fields of the request: the whole document, in the form that has times, and never a part or a comparison with another one. */
export function askedForPackage(
  headers: HeaderList,
  { registry }: Pick<DecidedPackage, 'registry'>,
): HeaderList {
  const own = headers.without('if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since');
  const type = metadataType(registry);
  return type === undefined ? own : own.with('accept', type);
}

export function withShownVersions(options: PackageFilterOptions): PackageFilter {
  const { client } = options;
  let body: HeldMetadata | undefined;
  let sending: Promise<void> | undefined;
  return {
    client: {
      signal: client.signal,
      sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
      sendHead: (head, endsAtHead) => {
        checkStatus(head.status);
        const isRead = head.status >= 200 && head.status <= 299 && endsAtHead !== true;
        if (isRead) body = new HeldMetadata(head, options);
        else client.sendHead(head, endsAtHead);
      },
      sendData: (chunk) => {
        if (body === undefined) return client.sendData(chunk);
        body.push(chunk);
        return true;
      },
      onDrain: (listener) => client.onDrain(listener),
      sendEnd: (rawTrailers) => {
        if (body === undefined) client.sendEnd(rawTrailers);
        else sending = sendShown(body.end(), options);
        // Whoever waits for it is told.
        sending?.catch(() => undefined);
      },
    },
    sent: async () => await sending,
  };
}

class HeldMetadata {
  readonly #options: PackageFilterOptions;
  readonly #head: ResponseHead;
  readonly #reader: ListReader | undefined;
  readonly #octets = new GatheredOctets();
  #room = 0;

  constructor(head: ResponseHead, options: PackageFilterOptions) {
    this.#head = head;
    this.#options = options;
    const { registry, name } = options.asked;
    checkForm(head.headers, registry);
    const { packageVersionsMax: versionsMax } = options.limits;
    this.#reader = listReaderOf(registry, { versionsMax, depthMax: defaultLimits.jsonDepthMax }, name);
  }

  push(chunk: Uint8Array): void {
    const { limits, keep } = this.#options;
    const length = this.#octets.length + chunk.byteLength;
    if (length > limits.packageMetadataBytesMax)
      throw new ProxyError('origin_malformed', `${cannotRead} it is too long (packageMetadataBytesMax)`, {
        limit: 'packageMetadataBytesMax',
      });
    // Room is kept as long as the response lasts. What npm says is put together of its own octets at the end.
    const factor = this.#options.asked.registry === 'npm' ? 2 : parsedFactor;
    for (; this.#room < factor * length; this.#room += roomStep) keep(roomStep);
    this.#octets.push(chunk);
    this.#reader?.push(chunk);
  }

  end(): WholeMetadata {
    const listed = this.#reader?.end(this.#octets.take()) ?? new UnreadableBody('is of another registry');
    if (listed instanceof UnreadableBody) throw unreadable(`it ${listed.reason}`);
    return { head: this.#head, listed };
  }
}

interface WholeMetadata {
  readonly head: ResponseHead;
  readonly listed: ListedVersions;
}

/**
 * An error tells of no version, and where another address is named, that one is judged. Of a part nobody knows what is in the rest, and
 * whether something changed was not asked.
 */
function checkStatus(status: number): void {
  if (status === 206) throw unreadable('it is a part of it');
  const isElsewhere = [301, 302, 303, 307, 308].includes(status);
  if (status >= 300 && status <= 399 && !isElsewhere)
    throw unreadable(`it comes with the status ${String(status)}`);
}

function checkForm(headers: HeaderList, registry: PackageRegistry): void {
  if (!isOfMetadata(headers, registry)) throw unreadable('it is not of the type that was asked for');
  const coding = headers.all('content-encoding').join(', ').trim().toLowerCase();
  if (coding !== '' && coding !== 'identity')
    throw unreadable('it comes with a Content-Encoding that was not asked for');
}

/** How many versions are judged before others are served: a list of a thousand ranges of one package takes some milliseconds for each. */
const versionsAtOnce = 8;

async function sendShown(whole: WholeMetadata, options: PackageFilterOptions): Promise<void> {
  const { access, clock, asked } = options;
  const { listed, head } = whole;
  const nowMs = clock();
  // Another host of the rule says nothing about what the registry itself tells, nor does what only this client is told.
  const place = askedOf(asked, access, options.credentials);
  const isOwn = isRootOf(place.root, access.destination);
  const times = await listedTimes(listed, place, isOwn && isAskedPlainly(access), {
    ...options,
    toldMs: options.toldMs?.(),
  });
  const known = { times, attested: listed.attested };
  const shown = new Set<string>();
  for (const [i, one] of listed.versions.entries()) {
    if (i % versionsAtOnce === versionsAtOnce - 1) await setImmediate();
    if (isShown(one, known, options)) shown.add(keyOf(one));
  }
  const result = listed.show(
    (one) => shown.has(keyOf(one)),
    (one) => whyHidden(one, known, options),
  );
  options.onHidden(result.hidden.length, result.hidden.map(keyOf));
  // What is yanked is named with the reason; else nothing would say why nothing is left.
  const isNamed = asked.registry === 'pypi' || asked.registry === 'cargo';
  if (shown.size === 0 && result.hidden.length > 0 && !isNamed) throw nothingLeft(options, result, known);
  const expiresMs = maturity(result, times, asked);
  await send(inForm(head, options), inText(result, options), {
    options,
    freshMs: Math.max(0, expiresMs - nowMs),
  });
}

/** Clients of PyPI that do not ask for JSON know HTML alone. */
function wantsPage({ asked, access }: PackageFilterOptions): boolean {
  const accept = access.headers.all('accept').join(',');
  return asked.registry === 'pypi' && !/application\/vnd\.pypi\.simple\.(?:v1|latest)\+json/i.test(accept);
}

function inForm(head: ResponseHead, options: PackageFilterOptions): ResponseHead {
  if (!wantsPage(options)) return head;
  return { ...head, headers: head.headers.with('content-type', 'text/html; charset=utf-8') };
}

function inText(result: ShownVersions, options: PackageFilterOptions): ShownVersions {
  if (!wantsPage(options)) return result;
  return { ...result, pieces: [Buffer.from(simplePage(Buffer.concat(result.pieces).toString()))] };
}

/** When the next version becomes old enough. */
function maturity({ hidden }: ShownVersions, times: VersionTimes, { minAgeMs = 0 }: DecidedPackage): number {
  const ends = hidden.flatMap((one) => {
    const published = times.get(keyOf(one));
    return published === undefined ? [] : [published + minAgeMs];
  });
  return ends.reduce((first, one) => Math.min(first, one), Infinity);
}

interface Sending {
  readonly options: PackageFilterOptions;
  readonly freshMs: number;
}

async function send(head: ResponseHead, result: ShownVersions, { options, freshMs }: Sending): Promise<void> {
  const { access, client } = options;
  const hash = createHash('sha256');
  let length = 0;
  for (const piece of result.pieces) {
    hash.update(piece);
    length += piece.length;
  }
  const etag = `"${hash.digest('base64url').slice(0, 32)}"`;
  const headers = ownFields(head.headers, { result, options, freshMs }).with('etag', etag);
  if (access.headers.all('if-none-match').some((value) => value.includes(etag))) {
    client.sendHead({ status: 304, headers: headers.without('content-type', 'content-length') }, true);
    client.sendEnd([]);
    return;
  }
  client.sendHead({ ...head, headers: headers.with('content-length', String(length)) });
  if (access.method !== 'HEAD') for (const piece of inBlocks(result.pieces)) await sendPiece(client, piece);
  client.sendEnd([]);
}

const blockBytes = 65_536;

/** Small pieces together, and large ones in parts. */
function* inBlocks(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  let length = 0;
  const joined = (): Uint8Array => {
    const all = Buffer.concat(small);
    small = [];
    length = 0;
    return all;
  };
  for (const piece of pieces)
    for (let from = 0; from < piece.length; from += blockBytes) {
      const part = piece.subarray(from, from + blockBytes);
      if (length + part.length > blockBytes) yield joined();
      small.push(part);
      length += part.length;
    }
  if (length > 0) yield joined();
}

async function sendPiece(client: ResponseClient, piece: Uint8Array): Promise<void> {
  if (client.signal.aborted) throw new ProxyError('cancelled', 'the client went away');
  if (client.sendData(piece)) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  client.onDrain(() => resolve(undefined));
  const gone = (): void => resolve(undefined);
  client.signal.addEventListener('abort', gone, { once: true });
  await promise;
  client.signal.removeEventListener('abort', gone);
}

/** What the registry says of its own document does not hold for this one. */
function ownFields(
  headers: HeaderList,
  { result, options, freshMs }: Sending & { readonly result: ShownVersions },
): HeaderList {
  const own = withoutDigests(
    headers.without('content-length', 'etag', 'last-modified', 'accept-ranges', 'age', 'expires'),
  );
  const told = own.with('vary', 'accept, accept-encoding').with('x-content-type-options', 'nosniff');
  const moved = result.moved.find(({ tag }) => tag === 'latest');
  const isNpm = options.access.headers.all('user-agent').some((agent) => agent.startsWith('npm/'));
  if (moved !== undefined && isNpm && versionOrders.npm.isVersion(moved.from))
    // npm shows it only of a response that it does not keep.
    return told.with('cache-control', 'private, no-store').with('npm-notice', noticeOf(moved.from, options));
  // What becomes known against a version holds for the next request.
  const isFresh = options.asked.keepsBack === undefined;
  const seconds = isFresh ? Math.floor(Math.min(freshMs / 1000, freshFor(headers))) : 0;
  return told.with(
    'cache-control',
    seconds > 0 ? `private, max-age=${String(seconds)}` : 'private, no-cache',
  );
}

function noticeOf(latest: string, { asked, access, clock }: PackageFilterOptions): string {
  const found = advisoryOf(latest, asked, access, clock());
  const why = found === undefined ? '' : `: it ${advisoryText(found)}`;
  return `upstreamproxy keeps back ${asked.name}@${latest} (latest)${why}`;
}

/** A part of its time is over where a cache had it. */
function freshFor(headers: HeaderList): number {
  const said = headers.all('cache-control').join(',');
  if (/no-store|no-cache/i.test(said)) return 0;
  const age = Number(/^\d{1,9}$/.exec(headers.first('age') ?? '')?.[0] ?? 0);
  return Math.max(0, Number(/max-age=(\d{1,9})/i.exec(said)?.[1] ?? 0) - age);
}

const cannotRead =
  'what the registry says of the package has to be read, so that it tells of allowed versions alone, and';

function unreadable(why: string): ProxyError {
  return new ProxyError('origin_malformed', `${cannotRead} ${why}`);
}
