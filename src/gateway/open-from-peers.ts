// A gateway that starts while its store is away: it serves nothing until the store is back, or another gateway has handed it what it has to
// know. With that it goes on as one whose store went away while it served.

import { lookup } from 'node:dns/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { formatAuthority } from '../http/authority.ts';
import { splitNumber } from '../http/digits-at-end.ts';
import { asProxyError, ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { ChangePlace } from '../store/change-store.ts';
import type { Store } from '../store/store.ts';
import type { GatewayConfig } from './config/config.ts';
import type { Start } from './gateway-start.ts';
import { placesAtHand, requireOpened, whyNoKeys } from './keys-at-hand.ts';
import { askPeers, type PeerStart } from './peers/asked-peers.ts';
import { PeerIdentity } from './peers/peer-identity.ts';
import { readSeenPeers } from './peers/seen-peers.ts';
import { endedKeptMsOf } from './sessions/ended-sessions.ts';
import { openWaitingPort } from './waiting-port.ts';

export type LateStart =
  | { readonly kind: 'store'; readonly store: Store }
  | { readonly kind: 'peer'; readonly start: PeerStart };

export interface LateStartOptions {
  readonly start: Start;
  readonly openStore: () => Promise<Store>;
  /** What the store said first. */
  readonly why: ProxyError;
}

/** Waits for the one or the other, or the signal of the start. Throws what the store throws that is there and cannot be used. */
export async function openFromPeers({ start, openStore, why }: LateStartOptions): Promise<LateStart> {
  const { config, log, signal } = start;
  // What cannot be read is told by who reads it.
  const seen = await readSeenPeers(config.stateDirectory).catch(() => null);
  const noKeys = seen === null ? undefined : whyNoKeys(config, seen);
  const until =
    noKeys === undefined
      ? 'or another gateway hands it what it has to know'
      : `and no other gateway can hand it anything (${noKeys})`;
  log(
    'warn',
    `the store is away, and this gateway has not read it yet: it serves nothing until the store is back, ${until}. ${why.message}`,
  );
  // Whoever looks at it learns that it lives, and is not ready.
  await using _ = noKeys === undefined ? await openPort(start) : undefined;
  let floor: ChangePlace | undefined;
  let told = '';
  for (;;) {
    const round =
      noKeys === undefined ? await askOnce(start, floor) : { kind: 'none' as const, floor, reasons: [] };
    if (round.kind === 'handed') {
      log('info', handedText(round.start));
      return { kind: 'peer', start: round.start };
    }
    ({ floor } = round);
    const reasons = round.reasons.join('; ');
    if (reasons !== '' && reasons !== told) log('warn', `no other gateway could hand it over: ${reasons}`);
    told = reasons;
    const store = await openLater(openStore, signal);
    if (store !== undefined) return { kind: 'store', store };
  }
}

/** After a while; undefined where it is still away. */
async function openLater(
  openStore: () => Promise<Store>,
  signal: AbortSignal | undefined,
): Promise<Store | undefined> {
  await wait(defaultLimits.peerStartRetryMs, undefined, signal === undefined ? {} : { signal });
  try {
    return await openStore();
  } catch (error) {
    if (asProxyError(error).retryAfterSeconds === undefined) throw error;
    return undefined;
  }
}

async function openPort(start: Start): Promise<AsyncDisposable | undefined> {
  try {
    const seen = await readSeenPeers(start.config.stateDirectory);
    return await openWaitingPort(start, await placesAtHand(start, seen));
  } catch (error) {
    start.log('warn', `the port is not open meanwhile: ${asProxyError(error).message}`);
    return undefined;
  }
}

async function askOnce(start: Start, floor: ChangePlace | undefined): ReturnType<typeof askPeers> {
  try {
    return await askKnown(start, floor);
  } catch (error) {
    return { kind: 'none', floor, reasons: [asProxyError(error).message] };
  }
}

async function askKnown(start: Start, floor: ChangePlace | undefined): ReturnType<typeof askPeers> {
  const { config, clock, incarnation } = start;
  const seen = await readSeenPeers(config.stateDirectory);
  const authority = await (await placesAtHand(start, seen)).peers.read(clock());
  const addresses = await addressesOf([...(config.peers?.known ?? []), ...(seen?.peers ?? [])]);
  if (addresses.length === 0)
    throw new ProxyError('peer_unreachable', 'none is known; name them under peers.known');
  return await askPeers(addresses, {
    identity: new PeerIdentity(incarnation, authority, clock),
    floor: floor ?? seen?.place,
    keptMs: endedKeptMsOf(config.limits),
    // What one cannot open may be of a later change of keys than its configuration, or damaged; another one may have it as it was.
    check: ({ identity }) => requireOpened(start, identity),
    needed: { policies: config.policy.mode === 'store', grants: config.access.enabled },
    signal: start.signal,
  });
}

/** `host:port` each, of a name all that it stands for. */
async function addressesOf(places: readonly string[]): Promise<readonly string[]> {
  const each = await Promise.all([...new Set(places)].slice(0, defaultLimits.peersAskedMax).map(resolved));
  return [...new Set(each.flat())];
}

async function resolved(place: string): Promise<readonly string[]> {
  const found = splitNumber(place, ':');
  if (found === undefined) return [];
  const late = wait(defaultLimits.peerConnectTimeoutMs, [], { ref: false });
  const host = found.before.replaceAll(/[[\]]/g, '');
  const addresses = await Promise.race([lookup(host, { all: true }).catch(() => []), late]);
  return addresses.map(({ address }) => formatAuthority({ host: address, port: Number(found.digits) }));
}

function handedText({ address, incarnation, awayMs, facts }: PeerStart): string {
  const { place, endings, policies = [], grants = [] } = facts;
  const away =
    awayMs === 0 ? 'its store is there' : `its store has been away for ${(awayMs / 1000).toFixed(1)} s`;
  return `the gateway ${incarnation} at ${address} handed over what it knows up to change ${place.number}: ${endings.length} sessions that ended, ${policies.length} policies, ${grants.length} grants; ${away}`;
}

/** Why a start went on without the store. */
export function isAwayAtStart(config: Pick<GatewayConfig, 'peers'>, error: ProxyError): boolean {
  return (
    config.peers !== undefined && error.code === 'store_unavailable' && error.retryAfterSeconds !== undefined
  );
}
