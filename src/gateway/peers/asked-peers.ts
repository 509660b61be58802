// Asks other gateways for what one that starts while the store is away has to know. Of those that respond the one that has taken most is
// believed, and nobody who knows less than this gateway knew.

import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { AccessRecord } from '../../store/access-store.ts';
import type { ChangePlace } from '../../store/change-store.ts';
import type { SealedIdentity } from '../../store/gateway-store.ts';
import type { PolicyVersion } from '../../store/policy-store.ts';
import type { NumberedEnding } from '../../store/store.ts';
import type { StartFacts } from '../changes/known-store.ts';
import { linesOf, readChangeLine, sendLine } from './change-lines.ts';
import { ArrivingFiles } from './file-pieces.ts';
import { connectPeer } from './peer-connection.ts';
import type { KnownPeer } from './peer-directory.ts';
import { type PeerIdentity, startProtocol } from './peer-identity.ts';
import {
  type HandedCounts,
  handedSchema,
  type NoPlace,
  placeSchema,
  type StartPlace,
} from './start-lines.ts';

export interface AskedPeersOptions {
  readonly identity: PeerIdentity;
  /** What is known already of how far the others are: nothing from before it is taken. */
  readonly floor: ChangePlace | undefined;
  /** How far back it has to be known what ended; absent where no ending is asked for. */
  readonly keptMs?: number;
  /** What there has to be among it. */
  readonly needed?: { readonly policies: boolean; readonly grants: boolean };
  /** Throws for what this gateway could not start with: another one may hand over what it can. */
  readonly check?: (facts: StartFacts) => Promise<void>;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
}

type AskingOptions = Omit<AskedPeersOptions, 'floor' | 'needed' | 'check'>;

/** Endings of those come by themselves. */
type FactsOptions = Omit<AskingOptions, 'keptMs'>;

/** What of it matters for as long as the gateway runs. */
export interface HandingPeer extends KnownPeer {
  /** Up to which change it handed over. */
  readonly place: ChangePlace;
  /** The others. */
  readonly peers: readonly KnownPeer[];
}

export interface PeerStart extends Omit<HandingPeer, 'place'> {
  readonly facts: StartFacts;
  /** For how long the store had been away there when it was asked. */
  readonly awayMs: number;
  /** When nothing older than that was known of the store: of `performance.now()`, from before it was asked. */
  readonly seenMs: number;
}

export type AskedPeers =
  | { readonly kind: 'handed'; readonly start: PeerStart }
  /** Nobody could; `floor` is the most that one of them knew. */
  | { readonly kind: 'none'; readonly floor: ChangePlace | undefined; readonly reasons: readonly string[] };

type Asked =
  | { readonly address: string; readonly place: StartPlace }
  /** How far it is may be known all the same, or be said in a moment. */
  | {
      readonly address: string;
      readonly reason: string;
      readonly at?: ChangePlace | undefined;
      readonly isPassing?: boolean | undefined;
    };

/** One round; each part of it has its deadline. Never rejects. */
export async function askPeers(
  addresses: readonly string[],
  options: AskedPeersOptions,
): Promise<AskedPeers> {
  const asked = await Promise.all(
    addresses.slice(0, defaultLimits.peersAskedMax).map((address) => placeOf(address, options)),
  );
  const reasons = asked.flatMap((one) => ('reason' in one ? [`${one.address}: ${one.reason}`] : []));
  const found = asked.flatMap((one) => ('place' in one ? [one] : []));
  const { floor } = options;
  const unable = asked.flatMap((one) => ('at' in one && one.at !== undefined ? [one.at] : []));
  const said: readonly ChangePlace[] = [...found.map(({ place }) => place), ...unable];
  const best = said.reduce<ChangePlace | undefined>(later, floor);
  // One that could not say it yet may know more than all others.
  const isOpen = floor === undefined && asked.some((one) => 'isPassing' in one && one.isPassing === true);
  if (best === undefined || isOpen) return { kind: 'none', floor, reasons };
  const [able, others] = [
    found.filter(({ place }) => isThere(place, best)),
    found.filter(({ place }) => !isThere(place, best)),
  ];
  for (const { address, place } of others) reasons.push(`${address}: ${behindText(place, best)}`);
  // Which of them is the store's is not for this gateway to guess.
  if (floor === undefined && said.some((place) => !isThere(place, best) && !isAfter(best, place)))
    return { kind: 'none', floor, reasons };
  for (const { address } of able.toSorted(byAbsence))
    try {
      const start = await handed(address, best, options);
      await options.check?.(start.facts);
      return { kind: 'handed', start };
    } catch (error) {
      reasons.push(`${address}: ${asProxyError(error).message}`);
    }
  return { kind: 'none', floor: best, reasons };
}

/** Who had the store last knows most of it. */
function byAbsence(
  { place: one }: { readonly place: StartPlace },
  { place: other }: { readonly place: StartPlace },
): number {
  return (one.awayMs ?? 0) - (other.awayMs ?? 0);
}

async function placeOf(address: string, options: AskedPeersOptions): Promise<Asked> {
  try {
    const response = await ask(address, 'place', options);
    if (response.kind === 'told') return { address, place: response.place };
    const { none, at, isPassing } = response.line;
    return { address, reason: none, at, isPassing };
  } catch (error) {
    return { address, reason: asProxyError(error).message };
  }
}

/** What is in force, from one that is followed. Throws ProxyError `peer_unreachable`. */
export async function askFacts(
  { incarnation, address }: KnownPeer,
  options: FactsOptions,
): Promise<StartFacts> {
  const response = told(await ask(address, 'facts', options));
  // Whoever is there now may not have told its endings here.
  if (response.incarnation !== incarnation) throw refused('another one is there now');
  const { history, number } = response.place;
  return { ...response.parts, place: { history, number } };
}

/** All of it. Throws ProxyError `peer_unreachable` where it ends before that, or is behind by now. */
async function handed(address: string, best: ChangePlace, options: AskedPeersOptions): Promise<PeerStart> {
  const { place, incarnation, parts, askedMs } = told(await ask(address, 'all', options));
  if (!isThere(place, best)) throw refused(behindText(place, best));
  const { needed } = options;
  if (needed?.policies === true && parts.policies === undefined)
    throw refused('it does not know what policies are published (policy: store)');
  if (needed?.grants === true && parts.grants === undefined)
    throw refused('it does not know what was granted (access)');
  const { history, number, awayMs = 0 } = place;
  const peers = place.peers.map(([name, at]) => ({ incarnation: name, address: at }));
  return {
    facts: { ...parts, place: { history, number } },
    address,
    incarnation,
    awayMs,
    seenMs: askedMs - awayMs,
    peers,
  };
}

interface Told {
  readonly kind: 'told';
  readonly incarnation: string;
  /** When the question began: what takes its time behind it is time without the store. */
  readonly askedMs: number;
  readonly place: StartPlace;
  readonly parts: Omit<StartFacts, 'place'>;
}

type Response = Told | { readonly kind: 'none'; readonly line: NoPlace };

function told(response: Response): Told {
  if (response.kind === 'none') throw refused(response.line.none);
  return response;
}

async function ask(
  address: string,
  want: 'place' | 'all' | 'facts',
  { identity, keptMs = 0, signal, ticks = () => performance.now() }: AskingOptions,
): Promise<Response> {
  const found = await connectPeer(address, undefined, identity, startProtocol);
  if (found.kind === 'absent') throw refused('nobody listens there');
  const { socket, incarnation } = found;
  const stop = (): void => void socket.destroy();
  const { peerStartPlaceMs, peerStartTimeoutMs } = defaultLimits;
  const late = setTimeout(stop, want === 'place' ? peerStartPlaceMs : peerStartTimeoutMs);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted === true) throw refused('it was given up');
    // A gateway that is asked under its own address would hand itself what it does not know.
    if (incarnation === identity.incarnation) throw refused('it is this gateway');
    const askedMs = ticks();
    await sendLine(socket, { want });
    const lines = linesOf(socket);
    const first = await lines.next();
    if (first.done === true) throw refused('it said nothing');
    const place = readChangeLine(placeSchema, first.value);
    if ('none' in place) return { kind: 'none', line: place };
    const { history, number } = place;
    if (place.keptMs < keptMs) return { kind: 'none', line: { none: keptShort, at: { history, number } } };
    const parts = want === 'place' ? nothing : await readParts(lines);
    return { kind: 'told', incarnation, askedMs, place, parts };
  } finally {
    clearTimeout(late);
    signal?.removeEventListener('abort', stop);
    socket.destroy();
  }
}

const keptShort = 'it keeps what ended for less long (storeOutageMs, accessTokenLifetimeMs)';

interface Parts {
  identity: SealedIdentity | undefined;
  readonly endings: NumberedEnding[];
  readonly policies: PolicyVersion[];
  readonly files: ArrivingFiles;
  readonly grants: AccessRecord[];
}

const nothing: Told['parts'] = {
  identity: undefined,
  endings: [],
  policies: [],
  files: new Map(),
  grants: [],
};

function noParts(): Parts {
  return { identity: undefined, endings: [], policies: [], files: new ArrivingFiles(), grants: [] };
}

/** Throws ProxyError `peer_unreachable` for what is not whole. */
async function readParts(lines: AsyncGenerator<string>): Promise<Told['parts']> {
  const parts = noParts();
  let bytes = 0;
  for await (const line of lines) {
    bytes += line.length;
    if (bytes > defaultLimits.peerStartBytesMax) throw refused('it hands on more than peerStartBytesMax');
    const handed = readChangeLine(handedSchema, line);
    if ('end' in handed) {
      const { endings, policies, files, grants } = parts;
      const counts: HandedCounts = {
        endings: endings.length,
        policies: policies.length,
        files: files.count,
        grants: grants.length,
      };
      if (parts.identity === undefined || !areSame(counts, handed.end)) break;
      const { hasPolicies, hasGrants } = handed.end;
      return {
        ...parts,
        files: files.texts(),
        // Of what it does not know it tells none; that is not to know that there is none.
        policies: hasPolicies === true ? policies : undefined,
        grants: hasGrants === true ? grants : undefined,
      };
    }
    take(parts, handed);
    if (parts.endings.length > defaultLimits.endedSessionsMax)
      throw refused('too many sessions ended lately (endedSessionsMax)');
  }
  throw refused('it ended in the middle of what it handed on');
}

function take(parts: Parts, handed: ReturnType<typeof handedSchema.parse>): void {
  if ('identity' in handed) parts.identity = handed.identity;
  else if ('endings' in handed) parts.endings.push(...handed.endings);
  else if ('policy' in handed) parts.policies.push(handed.policy);
  else if ('grants' in handed) parts.grants.push(...handed.grants);
  else if ('file' in handed) parts.files.add(handed.file);
}

function areSame(one: HandedCounts, other: HandedCounts): boolean {
  return (
    one.endings === other.endings &&
    one.policies === other.policies &&
    one.files === other.files &&
    one.grants === other.grants
  );
}

/** The later one of two; the first where that cannot be said. */
function later(one: ChangePlace | undefined, other: ChangePlace): ChangePlace {
  const { history, number } = other;
  return one === undefined || isAfter(other, one) ? { history, number } : one;
}

/** Whether it is there, or further. */
function isThere(place: ChangePlace, best: ChangePlace): boolean {
  return (place.history === best.history && place.number === best.number) || isAfter(place, best);
}

/** Of the same database on a later timeline a place is later whatever its number: whoever is on it has read the store since. */
function isAfter(one: ChangePlace, other: ChangePlace): boolean {
  if (one.history === other.history) return one.number > other.number;
  const [ours, theirs] = [timelineOf(one.history), timelineOf(other.history)];
  if (ours === undefined || theirs === undefined || ours.database !== theirs.database) return false;
  return ours.timeline > theirs.timeline;
}

function timelineOf(history: string): { readonly timeline: number; readonly database: string } | undefined {
  if (!/^[0-9A-F]{8} /.test(history)) return undefined;
  return { timeline: Number.parseInt(history.slice(0, 8), 16), database: history.slice(9) };
}

function behindText({ history, number }: ChangePlace, best: ChangePlace): string {
  if (history === best.history) return `it is at change ${number}, and ${best.number} is known`;
  return `it knows another history of the store (${history}) than is known (${best.history})`;
}

function refused(message: string): ProxyError {
  return new ProxyError('peer_unreachable', message);
}
