// What a process has to do with other gateways on its store: it says that it serves, leads agents to tunnels of others, and takes those
// that others lead here.

import type { Store } from '../store/store.ts';
import { formatAuthority } from '../http/authority.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { peerHostOf, type PeersSettings, peerPortOf } from './config/peers-settings.ts';
import type { TakenChanges } from './changes/taken-changes.ts';
import { FollowedAuthority } from './followed-authority.ts';
import type { Start } from './gateway-start.ts';
import type { AuthorityPlace } from './identity/identity-places.ts';
import { ChangeFeeds } from './peers/change-feeds.ts';
import { FollowedPeers, type FollowedPeersOptions } from './peers/followed-peers.ts';
import { type GatewayPresenceOptions, GatewayPresenceWriter } from './peers/gateway-presence.ts';
import { PeerDirectory } from './peers/peer-directory.ts';
import { PeerIdentity } from './peers/peer-identity.ts';
import { listenForPeers } from './peers/peer-listener.ts';
import { PeerTunnels } from './peers/peer-tunnels.ts';
import type { SessionWatch } from './sessions/session-watch.ts';
import { orderedPlaces, type TunnelPlaces } from './tunnels/tunnel-places.ts';
import type { TunnelServer } from './tunnels/tunnel-server.ts';
import { WorkerTunnels } from './workers/worker-tunnels.ts';

export interface Peers {
  /** Ways to other processes; undefined where there are none. */
  readonly places: TunnelPlaces | undefined;
  /** Takes what others lead here, from now on, and says in the store that this process serves. */
  serve(tunnels: TunnelServer): Promise<GatewayPresenceWriter>;
}

/** What this process has taken of the changes of the store, and follows. */
interface Following {
  readonly changes: TakenChanges;
  readonly watch: SessionWatch;
  /** The store is another process. */
  readonly canBeAway: boolean;
}

/** Throws ca_key_unusable, and config_invalid where a variable of the configuration is missing. */
export async function openPeers(
  start: Start,
  store: Pick<Store, 'gateways'>,
  following: Following,
  peersPlace: AuthorityPlace,
): Promise<Peers> {
  const { changes, watch } = following;
  const { config, environment, place, stack, clock, log, incarnation, onFault } = start;
  const workers = place === undefined ? [] : [new WorkerTunnels(place, config.limits)];
  const directory = new PeerDirectory(store.gateways);
  const noting = { store: store.gateways, directory, changes };
  const present = (peerAddress: string | undefined): Promise<GatewayPresenceWriter> =>
    openPresence(start, noting, peerAddress);
  const serveWorkers = async (tunnels: TunnelServer): Promise<void> => {
    for (const way of workers) stack.use(await way.listen((upgrade) => tunnels.takePassed(upgrade)));
  };
  const { peers, limits } = config;
  if (peers === undefined)
    return {
      places: workers[0],
      serve: async (tunnels) => {
        await serveWorkers(tunnels);
        return await present(undefined);
      },
    };
  const host = peerHostOf(peers, environment);
  const authority = stack.use(await FollowedAuthority.open({ place: peersPlace, clock, log }));
  const identity = new PeerIdentity(incarnation, authority, clock);
  const others = new PeerTunnels({ identity, directory, limits, log });
  return {
    places: orderedPlaces([others, ...workers]),
    serve: async (tunnels) => {
      await serveWorkers(tunnels);
      const listen = { address: peers.address, port: peerPortOf(peers, place?.number ?? 1) };
      const take = tunnels.takeSpliced.bind(tunnels);
      const feeds = new ChangeFeeds({
        watch,
        store: store.gateways,
        history: () => changes.history,
        onFault,
      });
      const follow = feeds.serve.bind(feeds);
      const listening = { identity, listen, limits, clock, take, follow, onFault };
      const { port } = stack.use(await listenForPeers(listening));
      const presence = await present(formatAuthority({ host, port }));
      stack.use(new FollowedPeers({ ...heardOf(following, presence), identity, directory, onFault }));
      return presence;
    },
  };
}

/** It says in the store that this process serves, and how far it is. */
async function openPresence(
  { config, stack, incarnation, onFault, isOnDuty }: Start,
  noting: Pick<GatewayPresenceOptions, 'store' | 'directory'> & Pick<Following, 'changes'>,
  peerAddress: string | undefined,
): Promise<GatewayPresenceWriter> {
  const { changes, ...places } = noting;
  const { storeOutageMs, resumeWindowMs } = config.limits;
  // One that serves on without the store is none of those that are gone.
  const rememberedMs = Math.max(defaultLimits.gatewayRememberedMs, storeOutageMs + resumeWindowMs);
  const changeSeen = (): number => changes.number;
  const presence = stack.use(
    await GatewayPresenceWriter.open({
      ...places,
      incarnation,
      peerAddress,
      changeSeen,
      isOnDuty,
      onFault,
      rememberedMs,
    }),
  );
  changes.onTaken(() => presence.changed());
  return presence;
}

function heardOf(
  { watch, changes, canBeAway }: Following,
  presence: GatewayPresenceWriter,
): Pick<FollowedPeersOptions, 'sequence' | 'hear' | 'history' | 'unsaid'> {
  return {
    sequence: () => watch.sequence,
    history: () => changes.history,
    hear: (endings, history) => {
      watch.hear(endings);
      // Where endings are numbered by themselves the store is never away.
      if (!canBeAway) return;
      const numbers = endings.map(({ sequence }) => sequence);
      changes.heard(numbers, history);
    },
    unsaid: () => presence.unsaid,
  };
}

/** Nothing of a workload leads to one of them. */
export function peerPorts(
  peers: PeersSettings | undefined,
  workers: number,
): readonly { readonly address: string; readonly port: number }[] {
  if (peers === undefined || peers.port === 0) return [];
  return Array.from({ length: workers }, (_, i) => ({
    address: peers.address,
    port: peerPortOf(peers, i + 1),
  }));
}
