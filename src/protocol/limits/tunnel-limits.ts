// Frames, streams and windows of a tunnel, and how long each side waits for the other.

import { KiB, MiB, type LimitRow, fixedRow, row } from './limit-row.ts';

export const tunnelLimits = {
  frameBytesMax: row(
    64 * KiB,
    'frame_too_large',
    'A larger data frame only delays the small frames behind it.',
  ),
  controlFrameBytesMax: row(
    8 * KiB,
    'frame_too_large',
    'Control frames are buffered whole. An open with a name of 255 octets needs far less.',
  ),
  messageBytesMax: row(
    1 * MiB,
    'websocket_malformed',
    'A message is one flush. The bound keeps the other side from claiming any length.',
  ),
  streamsMax: row(
    4096,
    'stream_limit',
    'An idle intercepted stream costs about 70 KB on both sides together.',
  ),
  windowBytesInitial: row(
    1 * MiB,
    'flow_control',
    'Carries 45 MB/s at 20 ms. It is granted at once while the tunnel has room, otherwise with the first bytes that drain.',
  ),
  windowBytesMax: row(
    16 * MiB,
    'flow_control',
    'Carries 800 MB/s at a round-trip time of 20 ms. Measurements showed a gain up to here.',
  ),
  connectionWindowBytes: row(
    64 * MiB,
    'flow_control',
    'What one tunnel can make the other side hold beyond 64 KiB a stream, and what is on the link.',
  ),
  controlQueueBytesMax: row(
    4 * MiB,
    'limit_exceeded',
    'Control frames that wait to be sent. It has room for every stream opened and reset at once, not for responses to a flood of pings.',
  ),
  datagramQueueBytesMax: fixedRow(
    256 * KiB,
    'limit_exceeded',
    'Octets that wait to be sent on a tunnel when a datagram comes. With more, the datagram is dropped.',
  ),
  datagramBytesMax: fixedRow(
    4 * KiB,
    'limit_exceeded',
    'One datagram of a rule with `scheme: udp`, either way. A longer one is dropped. Responses of DNS are shorter.',
  ),
  datagramFlowsPerSessionMax: row(
    64,
    'limit_exceeded',
    'Flows of datagrams that a session has open: one for each host and port, and client in the container.',
  ),
  datagramsPerSecondMax: row(
    1_000,
    'limit_exceeded',
    'Datagrams a second in all flows of a session, both ways together. Further ones are dropped.',
  ),
  datagramIdleTimeoutMs: row(
    60_000,
    'timeout',
    'A flow of datagrams in which nothing passes ends. UDP has no end of its own, and networks forget a flow after 30 s and more.',
  ),
  datagramsUnpaidMax: fixedRow(
    16,
    'limit_exceeded',
    'Datagrams of a flow that wait for the store to count their octets. Further ones are dropped.',
  ),
  datagramsEarlyMax: fixedRow(
    16,
    'limit_exceeded',
    'Datagrams that the agent holds until the gateway has taken their flow. Further ones are dropped.',
  ),
  datagramPortsMax: fixedRow(16, 'usage', 'Ports for datagrams of one agent (`--udp`).'),
  datagramFlowsMax: fixedRow(
    256,
    'limit_exceeded',
    'Flows of one port for datagrams in the container. With more, the one that was quiet for longest ends.',
  ),
  dnsQueryBytesMax: fixedRow(
    1_232,
    'limit_exceeded',
    'A query of DNS (RFC 6891 names 1,232 as what passes everywhere). A longer one is dropped.',
  ),
  dnsQueriesOpenMax: fixedRow(
    256,
    'limit_exceeded',
    'Queries of one flow that wait for their response. With more, the response to the oldest is dropped.',
  ),
  dnsRefusedNamesMax: fixedRow(
    16,
    'limit_exceeded',
    'Names that were refused which the event of a flow lists.',
  ),
  resumeBytesMax: row(
    16 * MiB,
    'limit_exceeded',
    'What is kept of a tunnel in each direction until it is acknowledged: 800 MB/s at a round-trip time of 20 ms.',
  ),
  resumeWindowMs: row(
    60_000,
    'tunnel_lost',
    'How long a tunnel without its connection waits for another: an outage of the network of 20 s, and the reconnects after it.',
  ),
  linkGapsMax: fixedRow(
    16,
    'timeout',
    'Times without a connection that a tunnel remembers. Earlier ones count against whoever waits for the peer.',
  ),
  resumeUnknownMax: fixedRow(
    8,
    'resume_unknown',
    'Attempts to resume a tunnel that reach a gateway without it, about 300 ms apart. Behind a balancer another gateway may have it.',
  ),
  writeBufferBytesMax: row(1 * MiB, 'flow_control', 'Bytes queued on a socket before its source is paused.'),
  pingIntervalMs: row(
    20_000,
    'tunnel_lost',
    'Below the idle limit of common load balancers (60 s). Two pings may be missed.',
  ),
  pingTimeoutMs: row(45_000, 'tunnel_lost', 'Two missed pings and their round trip.'),
  resumablePingIntervalMs: fixedRow(
    5_000,
    'tunnel_lost',
    'In place of `pingIntervalMs`, for an agent whose tunnel outlives its connection.',
  ),
  resumablePingTimeoutMs: fixedRow(
    12_000,
    'tunnel_lost',
    'In place of `pingTimeoutMs` there. A wrong suspicion costs no stream, only another connection, and a gateway without power is found this soon.',
  ),
  tunnelsPerSessionMax: row(
    4,
    'limit_exceeded',
    'One in use, one draining, one being set up, one spare. As many connections may wait to be identified.',
  ),
  streamsPerSecondMax: row(
    2_000,
    'limit_exceeded',
    'Connections that one session opens. This is twice what one gateway carried as TLS when measured.',
  ),
  reconnectDelayMsInitial: fixedRow(
    250,
    'tunnel_lost',
    'The first wait before a reconnect. Jitter makes it half to twice as long.',
  ),
  reconnectDelayMsMax: fixedRow(
    15_000,
    'tunnel_lost',
    'An agent finds a gateway that has come back within this time.',
  ),
  reconnectAwaitedDelayMsMax: fixedRow(
    3_000,
    'tunnel_lost',
    'The longest wait between attempts while a connection of the workload waits for a tunnel. Jitter makes it down to half as long. A gateway that is back is found within it, and several attempts fit into `tunnelWaitTimeoutMs`.',
  ),
  tunnelWaitTimeoutMs: fixedRow(
    10_000,
    'tunnel_lost',
    'A new connection of the workload waits this long while the tunnel is being set up again.',
  ),
  lingerTimeoutMs: row(
    2_000,
    'timeout',
    "How long a client's own bytes are still taken after the last byte to it. Otherwise its kernel would drop ours.",
  ),
} as const satisfies Record<string, LimitRow>;
