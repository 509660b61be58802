// What gateways may cost each other.

import { fixedRow, row } from './limit-row.ts';

export const peerLimits = {
  peerSplicesMax: row(
    1_024,
    'limit_exceeded',
    'Agents that are led to the gateway that has their tunnel: each is two connections and what waits on them, about 100 KB.',
  ),
  peerConnectionsMax: row(
    4_096,
    'peer_unreachable',
    'Connections of other gateways: each leads to one tunnel; whoever comes above it is cut off before TLS.',
  ),
  peerConnectTimeoutMs: fixedRow(
    2_000,
    'peer_unreachable',
    'A gateway of the same network responds in milliseconds; the agent tries again.',
  ),
  peerReplyTimeoutMs: fixedRow(
    2_000,
    'peer_unreachable',
    'What another gateway leads here is said with its first octets.',
  ),
  peersKnownMax: fixedRow(
    1_024,
    'internal',
    'Addresses of gateways that are known without the store; the one that is known longest makes room.',
  ),
  peerFeedsMax: fixedRow(
    3,
    'internal',
    'Each gateway follows so many others, in a ring: what one of them knows reaches all, also where two cannot be reached.',
  ),
  peerFeedsServedMax: fixedRow(64, 'internal', 'Others that follow a gateway; three do as a rule.'),
  peerLineBytesMax: fixedRow(
    4_194_304,
    'peer_unreachable',
    'A line holds at most a thousand sessions that ended, each with a reason of at most 4,000 characters.',
  ),
  peerSilenceMs: fixedRow(
    5_000,
    'peer_unreachable',
    'Whoever tells or follows changes says something each second; another one is followed then.',
  ),
  seenPeersBytesMax: fixedRow(
    4_194_304,
    'peer_unreachable',
    'The file of the state folder that says where others were: a sealed identity of 1 MiB, written as a text in JSON, and addresses.',
  ),
  peersAskedMax: fixedRow(
    32,
    'peer_unreachable',
    'A gateway that starts while the store is away asks so many others what it has to know, all at once.',
  ),
  peerStartBytesMax: fixedRow(
    268_435_456,
    'peer_unreachable',
    'What a gateway hands to one that starts: half a million sessions that ended are 60 MB, and policies come on top.',
  ),
  peerStartTimeoutMs: fixedRow(
    60_000,
    'peer_unreachable',
    'For all of it, at whichever end; whoever starts asks again, or another one.',
  ),
  peerStartPlaceMs: fixedRow(
    3_000,
    'peer_unreachable',
    'For the question of a gateway that starts, and for how far the one is that it asks: a line each; whoever is silent holds nobody up.',
  ),
  peerStartsServedMax: fixedRow(
    4,
    'peer_unreachable',
    'Others that are handed it at once; the next one is told how far this one is, and to ask again for the rest.',
  ),
  peerStartRetryMs: fixedRow(
    2_000,
    'peer_unreachable',
    'Between two rounds in which a gateway that starts asks the store and the others.',
  ),
  gatewayNoteMs: fixedRow(3_000, 'internal', 'Three of these fit into a lease.'),
  gatewayLeaseMs: fixedRow(
    10_000,
    'internal',
    'A gateway that says nothing for so long and cannot be reached is gone; streams of its tunnels end then.',
  ),
  changeConfirmMs: fixedRow(
    2_500,
    'internal',
    'Who revokes, grants or publishes is told who has taken it: within 2 s all have, but those that cannot.',
  ),
  gatewayRememberedMs: fixedRow(
    3_600_000,
    'internal',
    'Far behind the time for which an agent asks for a tunnel of it.',
  ),
};
