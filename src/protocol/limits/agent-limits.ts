// What the agent takes from its container, its workload and its gateway.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

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
  agentLeafContextsMax: fixedRow(
    256,
    'limit_exceeded',
    'Hosts for which an agent that ends TLS keeps a certificate ready; one is about 40 KB, and the oldest makes room.',
  ),
  firstBytesWaitMs: fixedRow(
    2_000,
    'timeout',
    'How long an agent that ends TLS waits for the first bytes of a client before it leaves them to the gateway.',
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
  enrolRetryMsMax: fixedRow(
    120_000,
    'store_unavailable',
    'How long an agent asks again whose enrolment a gateway refuses with 503 and Retry-After; then its start fails, and its token is as good as before.',
  ),
  retryAfterMsMax: fixedRow(
    15_000,
    'tunnel_lost',
    'Longest wait that a gateway can ask of an agent by `Retry-After`, as long as its own may grow: a false gateway parks no agent. At enrolment `enrolRetryMsMax` bounds all of them.',
  ),
  enrolTimeoutMs: row(15_000, 'timeout', 'One request to the gateway during start-up.'),
  chunkNonceRefusalsMax: fixedRow(
    2,
    'proof_invalid',
    'The first nonce of a gateway is asked for by a refusal, and the next connection may reach another gateway; then the proof does without for a minute.',
  ),
  chunkEndTimeoutMs: fixedRow(
    30_000,
    'timeout',
    'The chunk protocol has no half-close: how long the far end may be silent after the end of a client before the connection is closed for it.',
  ),
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
  captureDnsWaitingMax: fixedRow(
    256,
    'limit_exceeded',
    'Answers of the resolver that wait for the kernel; it takes them at once, so more is a flood, and UDP may lose.',
  ),
  captureDnsIdleTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'A client of the resolver over TCP asks at once, and again soon or never (RFC 7766 §6.2.3).',
  ),
  resolvConfBytesMax: fixedRow(
    64 * KiB,
    'limit_exceeded',
    'A larger resolv.conf is none that libc would read.',
  ),
  doctorOutputBytesMax: fixedRow(
    262_144,
    'limit_exceeded',
    'What a client says to the doctor is read to be searched; the rest of it is thrown away.',
  ),
  doctorCloseGraceMs: fixedRow(
    1_000,
    'timeout',
    'For what is in the pipes when a client of the doctor has ended.',
  ),
  doctorFileBytesMax: fixedRow(
    32 * MiB,
    'limit_exceeded',
    'A file that the doctor searches for certificates: larger than any bundle or key store.',
  ),
  doctorFolderFilesMax: fixedRow(
    2_000,
    'limit_exceeded',
    'Files of a folder of certificates that the doctor looks at; a system has a few hundred.',
  ),
  certutilTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'A run of certutil, which takes some hundredths of a second.',
  ),
  fileLockTimeoutMs: fixedRow(
    20_000,
    'timeout',
    'A change of a shared file takes milliseconds; the rest is for a loaded machine with several sessions that start at once.',
  ),
  manifestBytesMax: fixedRow(
    8 * MiB,
    'limit_exceeded',
    'The list of what a session placed; a larger file is not one of ours.',
  ),
  manifestUnfinishedAgeMs: fixedRow(
    60_000,
    'timeout',
    'A list that was begun and is older than this is left over: writing one takes milliseconds.',
  ),
  manifestFolderAttemptsMax: fixedRow(
    8,
    'trust_unwritable',
    'Each time that another session which ends takes the empty folder of the manifests away, it is made again.',
  ),
  sessionFoldersMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Folders of earlier sessions that are looked at: a start is not to be slow because of others.',
  ),
  relayPortAttemptsMax: fixedRow(
    10,
    'relay_port_in_use',
    'A free port of 127.0.0.1 may be taken on ::1; then another is tried.',
  ),
  commitAttemptsMax: fixedRow(
    4,
    'gateway_unreachable',
    'The token is gone by the commit, so an unlucky moment must not cost the session; the gateway takes a commit twice.',
  ),
  sessionEndTimeoutMs: fixedRow(
    2_000,
    'timeout',
    'Ending is a courtesy: a gateway that does not hear it ends the session by its expiry.',
  ),
  copiedFileBytesMax: fixedRow(
    262_144,
    'limit_exceeded',
    'A configuration of the user that is copied beside ours; what is larger is not copied.',
  ),
  gatewayChainMax: fixedRow(
    10,
    'ca_invalid',
    'Certificates in the chain of a gateway: more than any real chain has.',
  ),
  keptConnectionIdleMs: fixedRow(
    2_000,
    'timeout',
    'Below the time after which the gateway ends an idle connection, with room for the way there.',
  ),
  keptConnectionsMax: fixedRow(
    2,
    'limit_exceeded',
    'One for requests and one for the tunnel; a session never has more at a time.',
  ),
  captureDnsRequestBytesMax: fixedRow(
    1 * KiB,
    'limit_exceeded',
    'A question with EDNS and a cookie is below 400 octets.',
  ),
  captureDnsConnectionsMax: fixedRow(
    32,
    'limit_exceeded',
    'Connections of TCP to the resolver at once; hardly a client uses it.',
  ),
  hookResponseTimeoutMs: fixedRow(
    120_000,
    'timeout',
    'How long the hook of Node waits for the response to its CONNECT: longer than the relay itself waits for an origin.',
  ),
  embeddedStartTimeoutMs: fixedRow(
    20_000,
    'timeout',
    'From the start of an embedded gateway until it says that it is ready.',
  ),
  runEndTimeoutMs: fixedRow(
    2_000,
    'timeout',
    'From the end of the command to that of `run`, shared by all that is left to do: what the command left behind, streams that drain, the tunnel, the gateway, the summary. What is not done by then is cut off. A gateway of its own has 400 ms and the summary 100 ms however late it is: what that gateway has not written is in no audit.',
  ),
  summaryRowsMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Different refusals, and places, that the end of `run` counts one by one; a person reads 20, and a workload can make up as many as it likes. Of the others it says how often.',
  ),
  embeddedStopTimeoutMs: fixedRow(
    5_000,
    'timeout',
    "Longer than an embedded gateway's own drain after SIGTERM, with a deadline of one second; then it is killed. Where a command has run it has what is left of `runEndTimeoutMs`, and 400 ms at least.",
  ),
  jobSessionTimeoutMs: fixedRow(
    21_600_000,
    'timeout',
    'How long the session of `job begin` lasts at most, unless `--for` says otherwise: six hours, as long as jobs run that nobody gave more. One that is forgotten ends then.',
  ),
  jobWatchIntervalMs: fixedRow(
    1_000,
    'timeout',
    'How often that session looks whether the process still runs that `--while` names.',
  ),
  jobStartTimeoutMs: fixedRow(
    60_000,
    'timeout',
    'From the start of that session until its relay serves: a gateway of its own has 20 s of it, and enrolment its own deadlines.',
  ),
  jobEndTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'For that session to end once `job end` asked it to: more than its drain of a second and the end of its gateway take; then it is killed.',
  ),
  jobFileBytesMax: fixedRow(
    4_194_304,
    'limit_exceeded',
    'Of what `job begin` leaves for `job end`: more than all variables of a process and a list of refusals come to. The commands of the job can write there; what is longer is taken for nothing.',
  ),
  jobReadTimeoutMs: fixedRow(
    20_000,
    'timeout',
    'For `job end` to read the audit of the job, which its commands could have made as long as they like. What was read by then is reported, and that it is not all.',
  ),
  removedFolderLevelsMax: fixedRow(
    16,
    'limit_exceeded',
    'Folders in each other that are removed: nothing of ours is as deep, and each level holds a descriptor.',
  ),
  jailLineBytesMax: fixedRow(
    8 * MiB,
    'limit_exceeded',
    'A line between the agent and the helper of the jail. An environment can be two megabytes (`getconf ARG_MAX`), and JSON can double it.',
  ),
  jailEnterTimeoutMs: fixedRow(
    20_000,
    'jail_refused',
    'Entering the jail and opening its entrances take milliseconds; the rest is for a loaded machine that starts a runtime.',
  ),
  jailMountTimeoutMs: fixedRow(
    10_000,
    'jail_refused',
    'A run of mount(8) for the jail: it is one system call.',
  ),
  coverBytesMax: fixedRow(
    32 * MiB,
    'jail_refused',
    'The file system in memory whose files are laid over paths in the jail: bundles of certificates in every form, and what the command writes there.',
  ),
  coveredStoreBytesMax: fixedRow(
    4 * MiB,
    'limit_exceeded',
    'A trust store of the system that is laid over with the CA in it: the largest have half a megabyte. A larger one stays as it is.',
  ),
  coverFilesMax: fixedRow(
    16_384,
    'jail_refused',
    'Its files: a hashed folder of certificates has some hundred.',
  ),
  homeSecretFileBytesMax: fixedRow(
    256 * KiB,
    'limit_exceeded',
    'A file of the home whose secrets are replaced or left out; a longer one is hidden as a whole.',
  ),
  homeCredentialsMax: fixedRow(
    64,
    'limit_exceeded',
    'Secrets of the home that are replaced by placeholders; the entries of further ones are left out.',
  ),
  homeSecretCharactersMax: fixedRow(
    4_096,
    'limit_exceeded',
    'One of them: long tokens of registries have some two thousand characters.',
  ),
  jailRefusalCharactersMax: fixedRow(
    4_096,
    'jail_refused',
    'What the helper of the jail says on its standard error: one line of a tool, with room.',
  ),
  jailBacklogMax: fixedRow(
    511,
    'limit_exceeded',
    "Connections that wait at a listener inside the jail until they are taken: as many as at Node's own.",
  ),
  clientWaitingBytesMax: fixedRow(
    256 * KiB,
    'flow_control',
    'What waits for a client of the agent before its stream is held back: as much as the gateway sends in one message, which is then written in one turn.',
  ),
  leftoverGraceMs: fixedRow(1_000, 'timeout', 'Between SIGTERM and SIGKILL for what a command left behind.'),
  leftoverKilledMs: fixedRow(
    500,
    'timeout',
    'For the kernel to end a namespace or a control group, which takes milliseconds; what hangs in it (an unreachable file system) is not waited for. With the grace it leaves the gateway and the summary their parts of `runEndTimeoutMs`.',
  ),
  leftoverKillRoundsMax: fixedRow(
    50,
    'limit_exceeded',
    'Each round ends what the last one left to us; a fork bomb must not hold us for ever.',
  ),
} as const satisfies Record<string, LimitRow>;
