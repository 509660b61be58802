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
    'Names with their own address inside a captured network: 4 MB at most. The oldest makes room.',
  ),
  capturePortsMax: row(
    256,
    'limit_exceeded',
    'Captured ports, each with a listener. Other ports are reached only by the proxy variables.',
  ),
  gitSignTimeoutMs: fixedRow(
    60_000,
    'timeout',
    'The wait of git for a signature of the gateway, which may have to fetch its key from another service first.',
  ),
  knownHostsOctetsMax: fixedRow(
    64 * KiB,
    'limit_exceeded',
    'Lines of known hosts in a session response, as an agent takes them: 600 servers of SSH and more. The gateway leaves out the others, and says so in its log.',
  ),
  agentLeafContextsMax: fixedRow(
    256,
    'limit_exceeded',
    'Hosts for which an agent that ends TLS keeps a certificate ready, about 40 KB each. The oldest makes room.',
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
    'Body of a session request (a key and a posture), and of a refusal that the agent reads (a code and a sentence).',
  ),
  enrolRetryMsMax: fixedRow(
    120_000,
    'store_unavailable',
    'How long an agent tries again if a gateway refuses its enrolment with 503 and Retry-After. Then its start fails, and its token is still good.',
  ),
  retryAfterMsMax: fixedRow(
    15_000,
    'tunnel_lost',
    "The longest wait that a gateway can ask of an agent with `Retry-After`: as long as the agent's own waits may grow, so that a false gateway cannot park it. At enrolment, `enrolRetryMsMax` bounds all of them together.",
  ),
  enrolTimeoutMs: row(15_000, 'timeout', 'One request to the gateway during start-up.'),
  chunkNonceRefusalsMax: fixedRow(
    2,
    'proof_invalid',
    'Refusals that ask for a nonce. A gateway knows the nonces of others that it can ask. Behind gateways that cannot ask each other, the proof goes without one for a minute then.',
  ),
  chunkEndTimeoutMs: fixedRow(
    30_000,
    'timeout',
    'How long the far end may be silent after the end of a client. The chunk protocol has no half-close, so the connection is closed then.',
  ),
  doctorContactTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'Each step of the request by which the doctor sees whether the gateway responds. It dials nothing, so it is quick.',
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
    'Answers of the resolver that wait for the kernel. It takes them at once, so more is a flood, and UDP may lose packets.',
  ),
  captureDnsIdleTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'An idle TCP client of the resolver. It asks at once, and again soon or never (RFC 7766 §6.2.3).',
  ),
  resolvConfBytesMax: fixedRow(64 * KiB, 'limit_exceeded', 'A resolv.conf that libc would read is smaller.'),
  doctorOutputBytesMax: fixedRow(
    262_144,
    'limit_exceeded',
    'The output of a client that the doctor searches. The rest is dropped.',
  ),
  doctorCloseGraceMs: fixedRow(
    1_000,
    'timeout',
    'Reading what is left in the pipes after a client of the doctor has ended.',
  ),
  doctorFileBytesMax: fixedRow(
    32 * MiB,
    'limit_exceeded',
    'A file that the doctor searches for certificates: larger than any bundle or key store.',
  ),
  doctorFolderFilesMax: fixedRow(
    2_000,
    'limit_exceeded',
    'Files in a folder of certificates that the doctor looks at. A system has a few hundred.',
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
    'An unfinished list that is older than this is a leftover. Writing one takes milliseconds.',
  ),
  manifestFolderAttemptsMax: fixedRow(
    8,
    'trust_unwritable',
    'Attempts to make the folder of the manifests, which another session that ends may remove while it is empty.',
  ),
  sessionFoldersMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Folders of earlier sessions that are looked at, so that many of them do not slow a start down.',
  ),
  relayPortAttemptsMax: fixedRow(
    10,
    'relay_port_in_use',
    'A free port of 127.0.0.1 may be taken on ::1; then another is tried.',
  ),
  commitAttemptsMax: fixedRow(
    4,
    'gateway_unreachable',
    'Attempts to commit. The token is gone by then, so one unlucky moment must not cost the session. The gateway takes a commit twice.',
  ),
  sessionEndTimeoutMs: fixedRow(
    2_000,
    'timeout',
    'Telling the gateway that a session has ended, which is a courtesy. A gateway that does not hear it ends the session when it expires.',
  ),
  copiedFileBytesMax: fixedRow(
    262_144,
    'limit_exceeded',
    'A configuration of the user that is copied beside ours. A larger one is not copied.',
  ),
  gatewayChainMax: fixedRow(
    10,
    'ca_invalid',
    'Certificates in the chain of a gateway: more than any real chain has.',
  ),
  keptConnectionIdleMs: fixedRow(
    2_000,
    'timeout',
    'Shorter than the time after which the gateway ends an idle connection, with room for the way there.',
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
    'TCP connections to the resolver at once. Hardly any client uses TCP.',
  ),
  hookResponseTimeoutMs: fixedRow(
    120_000,
    'timeout',
    'How long the hook of Node waits for the response to its CONNECT: longer than the relay itself waits for an origin.',
  ),
  embeddedStartTimeoutMs: fixedRow(
    20_000,
    'timeout',
    'How long an embedded gateway may do nothing before it says that it is ready. As long as it runs on a processor it is waited for: a busy machine can take a minute.',
  ),
  embeddedStartLimitMs: fixedRow(
    180_000,
    'timeout',
    'From the start of an embedded gateway until it says that it is ready, whatever it does meanwhile.',
  ),
  runEndTimeoutMs: fixedRow(
    2_000,
    'timeout',
    'From the end of the command to that of `run`, for everything that is left to do: leftover processes, draining streams, the tunnel, the gateway, the summary. Then the rest is cut off. Even if it is late, an embedded gateway gets 400 ms and the summary 100 ms, because what that gateway has not written is in no audit.',
  ),
  summaryRowsMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Different refusals and places that `run` counts one by one at its end. A person reads 20, and a workload can make up any number. For the rest it says how many there were.',
  ),
  embeddedStopTimeoutMs: fixedRow(
    5_000,
    'timeout',
    "Longer than an embedded gateway's own drain after SIGTERM, which has a deadline of one second. Then the gateway is killed. After a command has run, it gets the rest of `runEndTimeoutMs`, and at least 400 ms.",
  ),
  jobSessionTimeoutMs: fixedRow(
    21_600_000,
    'timeout',
    'How long the session of `job begin` lasts unless `--for` says otherwise: six hours, as long as jobs run by default. A forgotten one ends then.',
  ),
  jobWatchIntervalMs: fixedRow(
    1_000,
    'timeout',
    'How often that session checks whether the process of `--while` still runs.',
  ),
  jobStartTimeoutMs: fixedRow(
    60_000,
    'timeout',
    'From the start of that session until its relay serves. An embedded gateway is waited for as long as it runs, and enrolment has its own deadlines.',
  ),
  jobEndTimeoutMs: fixedRow(
    10_000,
    'timeout',
    'The end of that session after `job end` asked for it: more than its drain of a second and the end of its gateway take. Then it is killed.',
  ),
  jobFileBytesMax: fixedRow(
    4_194_304,
    'limit_exceeded',
    'What `job begin` leaves for `job end`: more than all variables of a process and a list of refusals. Commands of the job can write there too, so a longer file is ignored.',
  ),
  jobReadTimeoutMs: fixedRow(
    20_000,
    'timeout',
    'Reading the audit of the job in `job end`. Its commands could have made the audit any length. `job end` reports what it read by then, and that more is there.',
  ),
  removedFolderLevelsMax: fixedRow(
    16,
    'limit_exceeded',
    'Nested folders that are removed. Nothing of ours is as deep, and each level holds a descriptor.',
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
    'A run of mount(8) for the jail, which is one system call.',
  ),
  coverBytesMax: fixedRow(
    32 * MiB,
    'jail_refused',
    'The file system in memory for files that are laid over paths in the jail: bundles of certificates in every form, and what the command writes there.',
  ),
  coveredStoreBytesMax: fixedRow(
    4 * MiB,
    'limit_exceeded',
    'A trust store of the system that is covered by one with the CA in it. The largest have half a megabyte. A larger one stays as it is.',
  ),
  coverFilesMax: fixedRow(
    16_384,
    'jail_refused',
    'Files of that file system. A hashed folder of certificates has some hundred.',
  ),
  homeSecretFileBytesMax: fixedRow(
    256 * KiB,
    'limit_exceeded',
    'A file of the home whose secrets are replaced or left out. A longer one is hidden as a whole.',
  ),
  homeCredentialsMax: fixedRow(
    64,
    'limit_exceeded',
    'Secrets of the home that are replaced by placeholders. Entries of further ones are left out.',
  ),
  homeSecretCharactersMax: fixedRow(
    4_096,
    'limit_exceeded',
    'One such secret. Long tokens of registries have some two thousand characters.',
  ),
  jailRefusalCharactersMax: fixedRow(
    4_096,
    'jail_refused',
    'What the helper of the jail prints on its standard error: one line of a tool, with room.',
  ),
  jailBacklogMax: fixedRow(
    511,
    'limit_exceeded',
    "Connections that wait at a listener inside the jail until they are accepted: as many as Node's default.",
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
    'For the kernel to end a namespace or a control group, which takes milliseconds. A process that hangs in it (on an unreachable file system) is left. With the grace, this leaves the gateway and the summary their parts of `runEndTimeoutMs`.',
  ),
  leftoverKillRoundsMax: fixedRow(
    50,
    'limit_exceeded',
    'Rounds of killing leftover processes. Each round ends what the last one left to us. A fork bomb must not hold us endlessly.',
  ),
} as const satisfies Record<string, LimitRow>;
