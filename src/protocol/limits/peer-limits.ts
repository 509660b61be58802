// What gateways may cost each other.

import { fixedRow, row } from './limit-row.ts';

export const peerLimits = {
  peerSplicesMax: row(
    1_024,
    'limit_exceeded',
    'Agents that are led to the gateway that has their tunnel. Each is two connections and what waits on them, about 100 KB.',
  ),
  peerConnectionsMax: row(
    4_096,
    'peer_unreachable',
    'Connections of other gateways, each to one tunnel. Further ones are cut off before TLS.',
  ),
  peerConnectTimeoutMs: fixedRow(
    2_000,
    'peer_unreachable',
    'A gateway in the same network responds in milliseconds. The agent tries again.',
  ),
  peerReplyTimeoutMs: fixedRow(
    2_000,
    'peer_unreachable',
    'From a connection of another gateway to its first octets, which say what it leads here.',
  ),
  peersKnownMax: fixedRow(
    1_024,
    'internal',
    'Addresses of gateways that are known without the store. The one that has been known longest makes room.',
  ),
  peerFeedsMax: fixedRow(
    3,
    'internal',
    'How many others each gateway follows, in a ring. What one of them knows reaches all, even if two cannot be reached.',
  ),
  peerFeedsServedMax: fixedRow(
    64,
    'internal',
    'Other gateways that follow this one. Usually there are three.',
  ),
  peerLineBytesMax: fixedRow(
    4_194_304,
    'peer_unreachable',
    'A line holds at most a thousand sessions that ended, each with a reason of at most 4,000 characters.',
  ),
  peerSilenceMs: fixedRow(
    5_000,
    'peer_unreachable',
    'A gateway that tells or follows changes says something each second. A silent one is replaced by another.',
  ),
  seenPeersBytesMax: fixedRow(
    4_194_304,
    'peer_unreachable',
    'The file of the state folder that says where others were: a sealed identity of 1 MiB as text in JSON, and addresses.',
  ),
  peersAskedMax: fixedRow(
    32,
    'peer_unreachable',
    'Others that a gateway asks at once if it starts while the store is away.',
  ),
  peerStartBytesMax: fixedRow(
    268_435_456,
    'peer_unreachable',
    'What a gateway hands to one that starts. Half a million ended sessions are 60 MB, and policies come on top.',
  ),
  peerStartTimeoutMs: fixedRow(
    60_000,
    'peer_unreachable',
    'Handing over all of it, at either end. The gateway that starts then asks again, or asks another one.',
  ),
  peerStartPlaceMs: fixedRow(
    3_000,
    'peer_unreachable',
    'The question of a gateway that starts, and the state of the one that it asks: a line each. Whoever is silent delays nobody.',
  ),
  peerStartsServedMax: fixedRow(
    4,
    'peer_unreachable',
    'Starting gateways that are served at once. The next one is told how far this one is, and to ask again for the rest.',
  ),
  peerStartRetryMs: fixedRow(
    2_000,
    'peer_unreachable',
    'The pause between two rounds in which a gateway that starts asks the store and the others.',
  ),
  peerProofTimeoutMs: fixedRow(
    1_000,
    'proof_invalid',
    'Asking another gateway whether a proof with its nonce is new, which it knows from memory. Without a reply, the agent is asked for another proof.',
  ),
  peerProofsPendingMax: fixedRow(
    1_000,
    'proof_invalid',
    'Proofs that one gateway asks another about at once, about 500 KB. Agents with further ones are asked for another proof.',
  ),
  gatewayNoteMs: fixedRow(
    3_000,
    'internal',
    'How often a gateway renews its lease. Three of these fit into one.',
  ),
  gatewayLeaseMs: fixedRow(
    10_000,
    'internal',
    'A gateway that says nothing for this long and cannot be reached is gone. Streams of its tunnels end then.',
  ),
  changeConfirmMs: fixedRow(
    2_500,
    'internal',
    'How long a command that revokes, grants or publishes waits to hear which gateways took the change. All that can have it within 2 s.',
  ),
  gatewayRememberedMs: fixedRow(
    3_600_000,
    'internal',
    'How long a gateway that is gone is remembered: far longer than an agent asks for a tunnel of it.',
  ),
};
