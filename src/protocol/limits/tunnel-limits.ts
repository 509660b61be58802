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
    'Control frames are buffered whole; an open with a 255-octet name needs far less.',
  ),
  messageBytesMax: row(
    1 * MiB,
    'websocket_malformed',
    'A message is one flush; a bound keeps a claimed length from being believed.',
  ),
  streamsMax: row(
    4096,
    'stream_limit',
    'An idle intercepted stream costs about 80 KB on both sides together.',
  ),
  windowBytesInitial: row(
    1 * MiB,
    'flow_control',
    'Carries 45 MB/s at 20 ms; granted at once while the tunnel has room, else with the first bytes drained.',
  ),
  windowBytesMax: row(
    16 * MiB,
    'flow_control',
    'At 20 ms of round-trip time it carries 800 MB/s; measured to be worth it up to here.',
  ),
  connectionWindowBytes: row(
    64 * MiB,
    'flow_control',
    'Bounds what one tunnel can make the other side hold beyond 64 KiB a stream, and what is on the link.',
  ),
  controlQueueBytesMax: row(
    4 * MiB,
    'limit_exceeded',
    'Every stream opened and reset at once fits; responses to a flood of pings do not.',
  ),
  resumeBytesMax: row(
    16 * MiB,
    'limit_exceeded',
    'Kept of a tunnel, each way, until it is acknowledged: at 20 ms of round-trip time it carries 800 MB/s.',
  ),
  resumeWindowMs: row(
    60_000,
    'tunnel_lost',
    'A tunnel without its connection waits this long for another: an outage of the network of 20 s, and the reconnects after it.',
  ),
  linkGapsMax: fixedRow(
    16,
    'timeout',
    'Times without a connection that a tunnel remembers: those before them count for who waits for its peer.',
  ),
  resumeUnknownMax: fixedRow(
    8,
    'resume_unknown',
    'Attempts to go on with a tunnel that reach a gateway without it, about 300 ms apart: behind a balancer another one may have it.',
  ),
  writeBufferBytesMax: row(1 * MiB, 'flow_control', 'Bytes queued on a socket before its source is paused.'),
  pingIntervalMs: row(
    20_000,
    'tunnel_lost',
    'Below the idle limit of common load balancers (60 s), two may be missed.',
  ),
  pingTimeoutMs: row(45_000, 'tunnel_lost', 'Two missed pings and their round trip.'),
  resumablePingIntervalMs: fixedRow(
    5_000,
    'tunnel_lost',
    'Of an agent whose tunnel outlives its connection, in place of `pingIntervalMs`.',
  ),
  resumablePingTimeoutMs: fixedRow(
    12_000,
    'tunnel_lost',
    'In place of `pingTimeoutMs` there: a wrong suspicion costs no stream, only another connection, and a gateway without power is found so soon.',
  ),
  tunnelsPerSessionMax: row(
    4,
    'limit_exceeded',
    'One in use, one draining, one being set up, one spare. As many connections may wait to be identified.',
  ),
  streamsPerSecondMax: row(
    2_000,
    'limit_exceeded',
    'Connections that one session opens: twice what one gateway was measured to carry as TLS.',
  ),
  reconnectDelayMsInitial: fixedRow(
    250,
    'tunnel_lost',
    'First wait before a reconnect, halved to doubled by jitter.',
  ),
  reconnectDelayMsMax: fixedRow(
    15_000,
    'tunnel_lost',
    'An agent finds a gateway that came back within this time.',
  ),
  reconnectAwaitedDelayMsMax: fixedRow(
    3_000,
    'tunnel_lost',
    'Longest wait between attempts, up to halved by jitter, while a connection of the workload waits for a tunnel: a gateway that is back is found within it, and several attempts come within tunnelWaitTimeoutMs.',
  ),
  tunnelWaitTimeoutMs: fixedRow(
    10_000,
    'tunnel_lost',
    'A new connection of the workload waits this long for a tunnel that is being set up again.',
  ),
  lingerTimeoutMs: row(
    2_000,
    'timeout',
    'After the last byte to a client: how long its own bytes are still taken, or its kernel would drop ours.',
  ),
} as const satisfies Record<string, LimitRow>;
