// The store of a gateway; one that is another process is watched for being away.

import { asProxyError } from '../protocol/error.ts';
import { LateStore } from '../store/late-store.ts';
import type { Store } from '../store/store.ts';
import { askedStore, StoreOutage, type StoreOutageOptions } from '../store/store-outage.ts';
import { withOwn } from '../store/with-own.ts';
import { openConfiguredStore } from './config/store-settings.ts';
import { KnownStore } from './changes/known-store.ts';
import { RecentSessions, rememberedSessions } from './changes/recent-sessions.ts';
import { StoreHistory } from './changes/store-history.ts';
import type { Start } from './gateway-start.ts';
import type { KnownHistory } from './open-changes.ts';
import { isAwayAtStart, openFromPeers } from './open-from-peers.ts';
import type { HandingPeer, PeerStart } from './peers/asked-peers.ts';

export interface GatewayStore extends KnownHistory {
  readonly store: Store;
  /** Of a store that can be away. */
  readonly outage: StoreOutage | undefined;
  /** Who handed over what this gateway starts with, where the store was away. `known` has it for as long as the start takes. */
  readonly from: HandingPeer | undefined;
}

interface Opened {
  readonly store: Store;
  readonly late?: {
    readonly begin: Store['audit']['chain']['begin'];
    readonly from: PeerStart;
    readonly why: string;
  };
}

/** Throws as `openStore` does: a gateway that has not read its store, and has heard nothing of it, serves nothing. */
export async function openGatewayStore(start: Start): Promise<GatewayStore> {
  const { stack } = start;
  const { store: opened, late } = await openOrAsk(start);
  const store = stack.use(opened);
  const { probe } = store;
  const recent = new RecentSessions();
  if (probe === undefined) {
    const history = new StoreHistory(store);
    return { store, outage: undefined, recent, history, known: undefined, from: undefined };
  }
  const handed = late?.from.facts;
  // What the hand-over took counts: restarts do not lengthen `storeOutageMs`.
  const begin =
    late === undefined ? {} : { begin: { awayMs: performance.now() - late.from.seenMs, why: late.why } };
  const outage = stack.use(new StoreOutage({ probe, ...begin, ...tellerOf(start) }));
  const asked = askedStore(store, outage);
  const known = new KnownStore(late === undefined ? asked : chainedBy(asked, late.begin), outage, handed);
  const said = known.asked();
  const history = new StoreHistory({ changes: said.changes, handed: handed?.place });
  const sessions = rememberedSessions(said, recent, history);
  const from = late === undefined ? undefined : handingPeer(late.from);
  return { store: { ...said, sessions }, outage, recent, history, known, from };
}

function tellerOf({ config, clock, log }: Start): Omit<StoreOutageOptions, 'probe' | 'begin'> {
  const { storeOutageMs } = config.limits;
  const bound = `${storeOutageMs / 1000} s (storeOutageMs)`;
  return {
    outageMs: storeOutageMs,
    clock,
    onBegin: (why, leftMs) =>
      log(
        'warn',
        `the store is away: running sessions go on for ${Math.floor(leftMs / 1000)} s of ${bound}, and none begins. ${why}`,
      ),
    onFault: ({ message }) => log('error', message),
    onEnd: (awayMs) => log('info', `the store is back after ${(awayMs / 1000).toFixed(1)} s`),
    onPast: () => log('error', `the store is away for more than ${bound}: nothing is forwarded`),
  };
}

async function openOrAsk(start: Start): Promise<Opened> {
  const { config, environment, log } = start;
  const openStore = (): Promise<Store> => openConfiguredStore(config, environment);
  try {
    return { store: await openStore() };
  } catch (error) {
    const why = asProxyError(error);
    if (!isAwayAtStart(config, why)) throw error;
    const found = await openFromPeers({ start, openStore, why });
    if (found.kind === 'store') return { store: found.store };
    const late = new LateStore({
      open: openStore,
      onRefused: ({ message }) => log('error', `the store cannot be opened: ${message}`),
    });
    return {
      store: late.store(),
      late: { begin: (signer) => late.begin(signer), from: found.start, why: why.message },
    };
  }
}

function handingPeer({ address, incarnation, peers, facts }: PeerStart): HandingPeer {
  return { address, incarnation, peers, place: facts.place };
}

/** Its chain begins with it. */
function chainedBy(store: Store, begin: Store['audit']['chain']['begin']): Store {
  const { audit } = store;
  return { ...store, audit: withOwn(audit, { chain: withOwn(audit.chain, { begin }) }) };
}
