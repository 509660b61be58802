// What the agent takes from its container, its workload and its gateway.

import { KiB, MiB, type LimitRow, fixedRow, row } from './limit-row.ts';

export const agentLimits = {
  connectHeadBytesMax: row(
    16 * KiB,
    'head_too_large',
    'The head of a CONNECT on the relay, or of the response to one: a few fields.',
  ),
  captureNamesMax: fixedRow(
    16_384,
    'limit_exceeded',
    'Names with an address of their own inside a captured network; 4 MB at most, and the oldest makes room.',
  ),
  capturePortsMax: row(
    256,
    'limit_exceeded',
    'Each captured port is a listener; others are reached by the proxy variables alone.',
  ),
  caBytesMax: fixedRow(
    1 * MiB,
    'ca_invalid',
    'A dozen certificates are 20 KB; an HTML page or a stream is refused.',
  ),
  tokenBytesMax: fixedRow(16 * KiB, 'token_unreadable', 'The largest OIDC token seen is 4 KB.'),
  agentBodyBytesMax: row(
    64 * KiB,
    'request_malformed',
    'Body of a session request, a key and a posture; and of a refusal that the agent reads, a code and a sentence.',
  ),
  enrolTimeoutMs: row(15_000, 'timeout', 'One request to the gateway during start-up.'),
  doctorContactTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'Each step of the request by which the doctor sees whether the gateway responds; it dials nothing, so it is quick.',
  ),
  doctorProofTimeoutMs: fixedRow(
    40_000,
    'timeout',
    'A client that the doctor starts, for its version and for its proof; some take ten seconds to start on a busy machine.',
  ),
  doctorClientsMax: fixedRow(
    3,
    'limit_exceeded',
    'Clients that the doctor starts at a time; more make each of them slow on a small machine.',
  ),
} as const satisfies Record<string, LimitRow>;
