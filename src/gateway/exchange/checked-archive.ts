// An archive on its way to the client: what comes has to be what metadata promises. Its last octets are held back until that is known, so
// that no client has the whole of another one.

import { versionText } from '../../understand/packages/package-request.ts';
import { createHash, type Hash } from 'node:crypto';
import type { HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import { owned } from '../../net/shared-reads.ts';
import type { DecidedPackage } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PromisedPackage } from '../packages/asked-package.ts';
import { type AlarmPlace, alarmEvent } from './alarm-event.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { PackageFilter } from './package-filter.ts';
import type { ResponseClient } from './response-client.ts';

export interface ArchiveCheckOptions {
  readonly client: ResponseClient;
  readonly method: string;
  /** The client asked for a part, and puts parts together and checks them itself. */
  readonly takesParts: () => boolean;
  /** As `sha512-…` with base64. */
  readonly promised: string;
  /** Called once the whole archive has come; `isPromised`: it is that one. */
  readonly onWhole: (isPromised: boolean) => void;
}

/** @throws ProxyError package_altered from `sent` */
export function withCheckedArchive({
  client,
  method,
  takesParts,
  promised,
  onWhole,
}: ArchiveCheckOptions): PackageFilter & Required<Pick<PackageFilter, 'sent'>> {
  const dash = promised.indexOf('-');
  const [algorithm, expected] = [promised.slice(0, dash), promised.slice(dash + 1)];
  let hash: Hash | undefined;
  let length = Infinity;
  let octets = 0;
  let held: Uint8Array | undefined;
  let fault: ProxyError | undefined;
  return {
    client: {
      signal: client.signal,
      sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
      sendHead: (head, endsAtHead) => {
        if (method === 'GET' && isArchive(head, takesParts())) hash = createHash(algorithm);
        const [said = ''] = head.headers.all('content-length');
        if (/^\d{1,15}$/.test(said)) length = Number(said);
        const isEmpty = endsAtHead === true || length === 0;
        const isAlteredToNothing = isEmpty && hash !== undefined && hash.copy().digest('base64') !== expected;
        // The head would be all of it.
        if (!isAlteredToNothing) client.sendHead(head, endsAtHead);
      },
      sendData: (chunk) => {
        if (hash === undefined) return client.sendData(chunk);
        // It would take the place of octets that are held back.
        if (chunk.byteLength === 0) return true;
        hash.update(chunk);
        octets += chunk.byteLength;
        // Where the length is known, nothing but the end has to be held.
        if (octets < length && length !== Infinity) return client.sendData(chunk);
        const before = held;
        held = owned(chunk);
        return before === undefined || client.sendData(before);
      },
      onDrain: (listener) => client.onDrain(listener),
      sendEnd: (rawTrailers) => {
        const isPromised = hash === undefined || hash.digest('base64') === expected;
        if (hash !== undefined) onWhole(isPromised);
        if (!isPromised) {
          fault = alteredFault();
          return;
        }
        if (held !== undefined) client.sendData(held);
        client.sendEnd(rawTrailers);
      },
    },
    sent: async () => {
      if (fault !== undefined) throw fault;
      await Promise.resolve();
    },
  };
}

/** Clients install what comes with any status below 400, unless it leads elsewhere. Two of these have no content. */
export function isArchive(
  { status, headers }: Pick<ResponseHead, 'status' | 'headers'>,
  takesParts: boolean,
): boolean {
  if (status < 200 || status > 399 || status === 204 || status === 304) return false;
  if (redirects.has(status)) return !leadsElsewhere(headers);
  return !(status === 206 && takesParts && isPart(headers));
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What names no place, or two, some clients do not follow: they take the body. */
function leadsElsewhere(headers: HeaderList): boolean {
  const [location = '', ...others] = headers.all('location');
  return location.trim() !== '' && others.length === 0;
}

/** Clients may take a part that is the whole without putting anything together. */
function isPart(headers: HeaderList): boolean {
  const [range = '', ...others] = headers.all('content-range');
  const [, first, last, length] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(range.trim()) ?? [];
  if (first === undefined || others.length > 0) return false;
  return Number(first) > 0 || Number(last) + 1 !== Number(length);
}

export function alteredFault(): ProxyError {
  return new ProxyError(
    'package_altered',
    'what came is not what the registry promises of the package, so its end was held back',
  );
}

/** An altered archive may be the first sign of a registry, or of a way to it, in other hands. */
export function tellAltered(
  fetched: DecidedPackage,
  promised: PromisedPackage,
  { audit, publishTimes, clock }: Pick<ExchangeParts, 'audit' | 'publishTimes' | 'clock'>,
  place: AlarmPlace,
): void {
  if (!publishTimes.altered(promised.asked)) return;
  const { host } = place.access.destination;
  const { registry, name, version } = fetched;
  const what = versionText(fetched);
  const told = {
    action: 'package_altered',
    message: `${host} delivers ${what} of ${registry} as something else than is promised: its digest is not ${promised.digest}. Its end was held back.`,
    package: { registry, name, ...(version === undefined ? {} : { version }) },
  };
  audit.append(alarmEvent(told, place, clock()));
}
