// What a process has to do with other gateways on its store: it says that it serves, leads agents to tunnels of others, and takes those
// that others lead here.

import type { ChangePlace } from '../store/change-store.ts';
import type { SealedIdentity } from '../store/gateway-store.ts';
import type { Store } from '../store/store.ts';
import type { StoreOutage } from '../store/store-outage.ts';
import { formatAuthority } from '../http/authority.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { peerHostOf, type PeersSettings, peerPortOf } from './config/peers-settings.ts';
import type { KnownStore } from './changes/known-store.ts';
import type { TakenChanges } from './changes/taken-changes.ts';
import { FollowedAuthority } from './followed-authority.ts';
import type { Start } from './gateway-start.ts';
import type { GatewayKeys } from './open-gateway-keys.ts';
import { askFacts, type HandingPeer } from './peers/asked-peers.ts';
import { ChangeFeeds, type ChangeFeedsOptions } from './peers/change-feeds.ts';
import { FollowedPeers, type FollowedPeersOptions } from './peers/followed-peers.ts';
import { type GatewayPresenceOptions, GatewayPresenceWriter } from './peers/gateway-presence.ts';
import { type KnownPeer, PeerDirectory } from './peers/peer-directory.ts';
import { hearEndings } from './peers/heard-endings.ts';
import { HeardFacts, type HeardFactsOptions } from './peers/heard-facts.ts';
import { PeerIdentity } from './peers/peer-identity.ts';
import { listenForPeers, type PeerListenerOptions } from './peers/peer-listener.ts';
import { PeerProofs, type PeerProofsOptions, serveProofs } from './peers/peer-proofs.ts';
import { PeerStarts } from './peers/peer-starts.ts';
import { PeerTunnels } from './peers/peer-tunnels.ts';
import { readSeenPeers, type SeenPeers, SeenPeersFile } from './peers/seen-peers.ts';
import { endedKeptMsOf } from './sessions/ended-sessions.ts';
import type { NonceProof, NonceProofs } from './sessions/nonce-proofs.ts';
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
  readonly nonceProofs: NonceProofs;
  /** Of a store that is another process. */
  readonly outage: StoreOutage | undefined;
  readonly known: KnownStore | undefined;
  /** Who handed over what this gateway started with. */
  readonly from: HandingPeer | undefined;
}

/** Throws ca_key_unusable, and config_invalid where a variable of the configuration is missing. */
export async function openPeers(
  start: Start,
  store: Pick<Store, 'gateways'>,
  following: Following,
  keys: Pick<GatewayKeys, 'places' | 'keyNames' | 'look' | 'holds'>,
): Promise<Peers> {
  const { changes } = following;
  const { config, environment, place, stack, clock, log, incarnation, onFault } = start;
  const workers = place === undefined ? [] : [new WorkerTunnels(place, config.limits)];
  const directory = new PeerDirectory(store.gateways);
  const noting = { store: store.gateways, directory, changes, identityKeys: () => keys.keyNames() };
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
  const authority = stack.use(await FollowedAuthority.open({ place: keys.places.peers, clock, log }));
  const identity = new PeerIdentity(incarnation, authority, clock);
  const others = new PeerTunnels({ identity, directory, limits, log });
  return {
    places: orderedPlaces([others, ...workers]),
    serve: async (tunnels) => {
      await serveWorkers(tunnels);
      const listen = { address: peers.address, port: peerPortOf(peers, place?.number ?? 1) };
      const take = tunnels.takeSpliced.bind(tunnels);
      const feeds = feedsOf(following, { onFault, directory, store: store.gateways });
      changes.onTaken(() => feeds.changed());
      const follow = feeds.serve.bind(feeds);
      const known = (): readonly KnownPeer[] =>
        directory.lastCurrent.filter((one) => one.incarnation !== incarnation);
      const starts = startsOf(start, following, known);
      const proofs = openProofs(start, following, { identity, known });
      const listening = { identity, listen, limits, clock, take, follow, start: starts, proofs, onFault };
      const { port } = stack.use(await listenForPeers(listening));
      const address = formatAuthority({ host, port });
      const presence = await present(address);
      hearOfOthers(directory, following, address);
      await keepSeen(start, following, known);
      const heard = { ...heardOf(following, presence), ...factsHeard(start, following, { identity, keys }) };
      stack.use(new FollowedPeers({ ...heard, identity, directory, address, onFault }));
      return presence;
    },
  };
}

/** Other gateways are asked of nonces of theirs, and ask of those of this one. */
function openProofs(
  { stack, clock, onFault }: Start,
  { nonceProofs }: Following,
  asking: PeerProofsOptions,
): PeerListenerOptions['proofs'] {
  const others = stack.use(new PeerProofs(asking));
  nonceProofs.askOthers((gatewayName, proof) => others.ask(gatewayName, proof));
  const own = { takeOwn: (proof: NonceProof) => nonceProofs.takeOwn(proof, clock()) };
  return (socket) => serveProofs(socket, own, onFault);
}

/** What others are told that follow this process. */
function feedsOf(
  { changes, watch, known }: Following,
  {
    directory,
    ...parts
  }: Pick<ChangeFeedsOptions, 'store' | 'onFault'> & { readonly directory: PeerDirectory },
): ChangeFeeds {
  return new ChangeFeeds({
    ...parts,
    watch,
    history: () => changes.history,
    taken: () => changes.number,
    identity: () => known?.facts.identity?.version,
    onAddress: (name, address) => directory.heard({ incarnation: name, address }),
  });
}

/** It says in the store that this process serves, and how far it is. */
async function openPresence(
  { config, stack, incarnation, onFault, isOnDuty }: Start,
  noting: Pick<GatewayPresenceOptions, 'store' | 'directory' | 'identityKeys'> & Pick<Following, 'changes'>,
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

/** What others are handed that start while the store is away. */
function startsOf(
  { config, clock, onFault }: Start,
  { changes, watch, outage, known }: Following,
  peers: () => readonly KnownPeer[],
): PeerListenerOptions['start'] {
  // A store that is never away is read at the start.
  if (outage === undefined || known === undefined) return async (socket) => void socket.destroy();
  const starts = new PeerStarts({
    facts: () => known.facts,
    place: () => placeOf(changes),
    ended: watch.ended,
    keptMs: endedKeptMsOf(config.limits),
    absence: outage,
    clock,
    peers,
    onFault,
  });
  return (socket) => starts.serve(socket);
}

function placeOf({ history, number }: TakenChanges): ChangePlace | undefined {
  return history === undefined ? undefined : { history, number };
}

/** Of a start without the store, which does not say where they are. */
function hearOfOthers(directory: PeerDirectory, { from }: Following, own: string): void {
  for (const peer of from === undefined ? [] : [...from.peers, from])
    if (peer.address !== own) directory.heard(peer);
}

/** For the next start, where the store may be away. Of several processes one is enough. */
async function keepSeen(
  { config, stack, place, onFault }: Start,
  { changes, known }: Following,
  peers: () => readonly KnownPeer[],
): Promise<void> {
  if (known === undefined || (place?.number ?? 1) !== 1) return;
  const now = (): SeenPeers => {
    const at = placeOf(changes);
    const { identity } = known.facts;
    return {
      ...(at === undefined ? {} : { place: at }),
      peers: peers().map(({ address }) => address),
      ...(config.identity.kind !== 'store' || identity === undefined ? {} : { identity: { ...identity } }),
    };
  };
  const { stateDirectory } = config;
  // What cannot be read is told by a start that needs it, and is replaced here.
  const before = (await readSeenPeers(stateDirectory).catch(() => undefined))?.peers ?? [];
  stack.use(new SeenPeersFile({ stateDirectory, before, now, onFault }));
}

function heardOf(
  { watch, changes, outage }: Following,
  presence: GatewayPresenceWriter,
): Pick<FollowedPeersOptions, 'sequence' | 'hear' | 'history' | 'unsaid'> {
  // Where endings are numbered by themselves the store is never away.
  const parts = { watch, changes, areChanges: outage !== undefined };
  return {
    sequence: () => watch.sequence,
    history: () => changes.history,
    hear: (endings, history) => hearEndings(parts, endings, history),
    unsaid: () => presence.unsaid,
  };
}

/** Policies, grants and keys of others, for a gateway that has lost the store alone. */
function factsHeard(
  { config, stack, onFault }: Start,
  { changes, known, outage }: Following,
  { identity, keys }: { readonly identity: PeerIdentity; readonly keys: Pick<GatewayKeys, 'look' | 'holds'> },
): Pick<FollowedPeersOptions, 'onTaken' | 'onIdentity'> {
  if (known === undefined || outage === undefined) return {};
  const ask: HeardFactsOptions['ask'] = (peer, signal) => askFacts(peer, { identity, signal });
  // Keys in files are changed there.
  const onIdentity = async ({ sealed }: SealedIdentity): Promise<boolean> => {
    await keys.look();
    return keys.holds?.(sealed) === true;
  };
  const following = config.identity.kind === 'store' ? { onIdentity } : {};
  const facts = stack.use(new HeardFacts({ known, changes, absence: outage, ask, onFault, ...following }));
  return {
    onTaken: (peer, place) => facts.onTaken(peer, place),
    onIdentity: (peer, version) => facts.onIdentity(peer, version),
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
