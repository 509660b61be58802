import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Metrics, metricsText } from '../../src/gateway/metrics.ts';
import { limitTable } from '../../src/protocol/limits.ts';
import type { LimitName } from '../../src/protocol/limits.ts';

/** Limits that no event of the gateway reaches, with the reason. */
const uncounted: Partial<Record<LimitName, string>> = {
  windowBytesInitial: 'a size that is granted; what overruns a window counts as windowBytesMax',
  writeBufferBytesMax: 'pauses the source, which is all that it is for',
  closeTimeoutMs: 'nobody waits behind it; the socket is cut off',
  refusedPushBytesMax: 'bounds what is dropped behind a refusal, which has its event',
  refusedPushTimeoutMs: 'bounds what is dropped behind a refusal, which has its event',
  doctorContactTimeoutMs: 'of the agent',
  doctorProofTimeoutMs: 'of the agent',
  doctorClientsMax: 'of the agent',
  http2StreamsMax: 'the client is told beforehand, and a stream above it is reset where frames are parsed',
  pingIntervalMs: 'when the next ping is sent',
  drainTimeoutMs: 'once, while the process ends',
  caBytesMax: 'of the agent',
  reconnectDelayMsInitial: 'of the agent',
  reconnectDelayMsMax: 'of the agent',
  tunnelWaitTimeoutMs: 'of the agent',
  lingerTimeoutMs: 'of the agent',
  captureNamesMax: 'of the agent',
  adminHeadBytesMax: 'the parser refuses it',
  adminRequestTimeoutMs: 'the server closes the connection',
  adminScannedEventsMax: 'the response says how far it looked',
  adminListedMax: 'the newest are shown',
  adminRememberedSessionsMax: 'the store is asked again',
  adminFollowedEventsMax: 'the store has the rest',
  adminFollowerBytesMax: 'who reads slowly waits',
  adminIdempotencyKeysMax: 'the oldest entry makes room',
  adminIdempotencyMs: 'a lifetime',
  capturePortsMax: 'of the agent',
  agentLeafContextsMax: 'of the agent',
  firstBytesWaitMs: 'of the agent',
  commitTimeoutMs: 'a lifetime: its end is an event of the session',
  accessTokenLifetimeMs: 'a lifetime: the agent renews in time',
  sessionLifetimeMs: 'a lifetime: its end is an event of the session',
  proofsMax: 'the store says that it is full, not of which of the two; counted as proofsPerKeyMax',
  enrolFailureDelayMs: 'how long a refusal waits',
  enrolFailureSourcesMax: 'the oldest entry makes room',
  logLinesPerSecondMax: 'the log itself says how many lines it left out',
  auditFlushDelayMs: 'how long an event waits for company',
  leafContextsMax: 'the oldest entry makes room',
  resolverCacheMax: 'the oldest entry makes room',
  resolverTtlMsMax: 'a response is kept for less than it claims',
  resolverTtlMsMin: 'a response is kept for longer than it claims',
  resolverNegativeTtlMs: 'the name is not found, as before it was kept',
  ownAddressesAgeMsMax: 'when the list is made anew; an address is refused by the guard',
  attemptDelayMs: 'when the next address is tried',
  auditEventsBurstMax: 'what auditEventsPerSecondMax fills; that is the limit that is told',
  refusalsPerSessionMax: 'the list itself says how many it left out',
  refusalSessionsMax: 'the session that was refused first makes room',
  auditBytesBurstMax: 'what auditBytesPerSecondMax fills; that is the limit that is told',
  auditEventBytesMax: 'what is cut says so in the event',
  toldPathCharactersMax: 'what is left out of a refusal is in the event',
  policyBytesMax: 'told with its place when the file is read',
  heldBodyTimeoutMs: 'one of several waits for a body; counted among the events by code',
  accessBodyBytesMax: 'of the rule that takes requests for access; counted among the events by code',
  accessReasonCharactersMax: 'what is longer is refused as malformed, among the events by code',
  accessCallsPerSecondMax: 'of the rule that takes requests for access; counted among the events by code',
  doctorCallsPerSecondMax: 'of the rule that responds to the doctor; counted among the events by code',
  accessPendingLifetimeMs: 'a lifetime: its end is an event',
  accessGrantLifetimeMsMax: 'told to the operator who grants',
  policyRulesMax: 'told with its place when the file is read',
  policyHostsMax: 'told with its place when the file is read',
  policyReadHereBytesMax: 'decides where a policy is read, and refuses none',
  policyReadTimeoutMs: 'the policy in force stays; what the metrics of its age tell',
  policyReadMemoryBytesMax: 'the policy in force stays; what the metrics of its age tell',
  workersMax: 'told with its place when the configuration is read',
  workerStartTimeoutMs: 'of the supervisor, which starts another and logs it',
  workerReplyTimeoutMs: 'between the processes of a gateway; counted among the events by code',
  workerRestartsMax: 'the gateway ends, and says why',
  workerRestartDelayMsMax: 'a wait, by which nobody is refused',
  workerEndTimeoutMs: 'while the process ends',
  passedUpgradeBytesMax: 'between the processes of a gateway, of what both bounded before',
  credentialUnusedMs: 'when renewal without a request stops',
  ...forAll(
    'of the agent, which serves no metrics',
    'refusalsBytesMax',
    'refusalsTimeoutMs',
    'captureDnsWaitingMax',
    'captureDnsIdleTimeoutMs',
    'resolvConfBytesMax',
    'doctorOutputBytesMax',
    'doctorCloseGraceMs',
    'doctorFileBytesMax',
    'doctorFolderFilesMax',
    'certutilTimeoutMs',
    'fileLockTimeoutMs',
    'manifestBytesMax',
    'coverBytesMax',
    'coverFilesMax',
    'coveredStoreBytesMax',
    'manifestFolderAttemptsMax',
    'manifestUnfinishedAgeMs',
    'sessionFoldersMax',
    'relayPortAttemptsMax',
    'commitAttemptsMax',
    'sessionEndTimeoutMs',
    'copiedFileBytesMax',
    'gatewayChainMax',
    'keptConnectionIdleMs',
    'keptConnectionsMax',
    'captureDnsRequestBytesMax',
    'captureDnsConnectionsMax',
    'hookResponseTimeoutMs',
    'embeddedStartTimeoutMs',
    'embeddedStopTimeoutMs',
    'runEndTimeoutMs',
    'summaryRowsMax',
    'removedFolderLevelsMax',
    'jailLineBytesMax',
    'jailEnterTimeoutMs',
    'jailMountTimeoutMs',
    'jailRefusalCharactersMax',
    'jailBacklogMax',
    'leftoverGraceMs',
    'leftoverKillRoundsMax',
    'leftoverKilledMs',
    'homeSecretFileBytesMax',
    'homeCredentialsMax',
    'homeSecretCharactersMax',
  ),
  ...forAll(
    'a wait or an age, by which nobody is refused',
    'aliasGraceMs',
    'tlsSessionAgeMsMax',
    'familyGraceMs',
    'dnsQueryTimeoutMs',
    'nameServersAgeMsMax',
    'clientKeepAliveMs',
    'publicKeepAliveMs',
    'secretFileCheckMs',
    'secretCommandValueMs',
    'earlyRenewalWaitMs',
    'unaskedRenewalMs',
    'rejectionIntervalMs',
    'renewalLeadMs',
    'issuerFailureHoldMs',
    'issuerFailureHoldWithValueMs',
    'vaultTokenCheckMs',
    'vaultFarewellTimeoutMs',
    'vaultOutageMs',
    'issuerKeysFreshMs',
    'issuerKeysStaleMs',
    'issuerRotationCooldownMs',
    'issuerFailureCooldownMs',
    'sessionRetentionMs',
    'auditRetryDelayMsMax',
    'originIdleMsMax',
    'webSocketRefusalLingerMs',
    'storeStopTimeoutMs',
    'presenceAgeMsMax',
  ),
  ...forAll(
    'the oldest entry makes room',
    'certificateContextsMax',
    'tlsSessionsPerPoolMax',
    'mintingOwnersMax',
    'vaultLeasesMax',
    'originProtocolsMax',
    'scrubTablesPerCredentialMax',
  ),
  ...forAll(
    'what is told is cut, or takes another turn',
    'accessListedMax',
    'auditedRefsMax',
    'gitReasonCharactersMax',
    'grpcMessageCharactersMax',
    'metricsSeriesMax',
    'strangerRefusalsPerMinuteMax',
    'policyProblemsMax',
    'auditBatchEventsMax',
    'auditRecoveredBatchMax',
    'auditCloseAttemptsMax',
    'forwardedHopsMax',
    'partLineBytesMax',
    'presignedSecondsMax',
    'storeLogPagesMax',
    'logWaitingBytesMax',
    'recalledSessionsMax',
  ),
  ...forAll(
    'counted among the events by code',
    'aliasesMax',
    'originChainCertificatesMax',
    'originChainDepthMax',
    'originChainSignaturesMax',
    'clientHelloRecordsMax',
    'proofBytesMax',
    'tokenNameCharactersMax',
    'issuerKeysMax',
    'secretBytesMax',
    'secretCommandTimeoutMs',
    'awsKeyLooksMax',
    'pushPiecesMax',
    'budgetBlockRequestsMax',
    'budgetBlockBytesMax',
    'serviceTimeoutMs',
    'serviceResponseBytesMax',
    'proxyHopsMax',
    'proxyProtocolBytesMax',
    'storeBusyTimeoutMs',
  ),
  ...forAll(
    'told with its place when the file is read',
    'signingKeyBytesMax',
    'discoverTimeoutMs',
    'discoverOutputBytesMax',
    'discoveredHostsMax',
    'policyFilesMax',
    'trustFileBytesMax',
  ),
  ...forAll(
    'told when the gateway starts, or by the command that asked, before there are metrics',
    'authorityKeyBytesMax',
    'authorityCertificateBytesMax',
    'authorityCreationWaitMs',
    'storeLockTimeoutMs',
    'storeHoldAttemptsMax',
    'stateFolderLevelsMax',
  ),
  ...forAll('taken from unreadOctetsPerSessionMax, by whose name it is counted', 'stalledResponseBytes'),
  ...forAll('adds to decisionStepsMax, by whose name it is counted', 'decisionStepsPerRef'),
  ...forAll(
    'kept by the runtime, which tells nobody',
    'http2WindowBytes',
    'http2WideWindowBytes',
    'http2OriginWindowBytes',
    'http2WideUploadsMax',
    'requestBodyAheadBytes',
    'http2ConnectionWindowBytes',
    'http2SessionMegabytesMax',
    'http2SettingsEntriesMax',
    'publicRequestTimeoutMs',
    'metricsRequestTimeoutMs',
  ),
  ...forAll(
    'decides the way that something goes, and refuses none',
    'tokenResponseBytesMax',
    'discardedBodyBytesMax',
    'originPoolsPerSessionMin',
    'placeholderBodyBytesMax',
    'http2OriginStreamsMax',
    'requestBodyWaitingBytesMax',
    'placeholderSpacesMax',
    'placeholderMarginBytesMax',
  ),
};

function forAll(
  reason: string,
  ...names: readonly LimitName[]
): Readonly<Partial<Record<LimitName, string>>> {
  return Object.fromEntries(names.map((name) => [name, reason]));
}

/** Everything that runs in a gateway, but for the table itself. */
const source = globSync('src/{protocol,http,net,intercept,store,gateway}/**/*.ts', {
  cwd: fileURLToPath(new URL('../../', import.meta.url)),
})
  .filter((file) => !file.includes('protocol/limits'))
  .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
  .join('\n')
  // A parameter's type is no place where it is reached.
  .replaceAll(/Pick<Limits,[^>]*>/g, '');

test('every limit of the table is counted where it is reached, or says why not', () => {
  assert.ok(source.length > 100_000);
  const wrong = Object.keys(limitTable).filter((name) => {
    // The keys of the table are the names; Object.keys forgets that.
    const isExempt = uncounted[name as LimitName] !== undefined;
    return source.includes(`'${name}'`) === isExempt;
  });
  assert.deepEqual(wrong, [], 'give the ProxyError of these { limit }, or list them with a reason, not both');
});

test('limits are counted by name, from the audit and beside it', () => {
  const metrics = new Metrics();
  const event = { v: 1, id: '1', time: 't', traceId: 't', kind: 'exchange', verdict: 'deny' } as const;
  metrics.count({ ...event, errorCode: 'timeout', limit: 'connectTimeoutMs' });
  metrics.count({ ...event, errorCode: 'timeout', limit: 'connectTimeoutMs' });
  metrics.count({ ...event, limit: 'no limit of ours"} 1' });
  metrics.countLimit('tunnelsPerSessionMax');
  const text = metricsText({ counts: [metrics.counts()], restarts: 0 });
  assert.match(text, /^upstreamproxy_limit_hits_total\{limit="connectTimeoutMs"\} 2$/m);
  assert.match(text, /^upstreamproxy_limit_hits_total\{limit="tunnelsPerSessionMax"\} 1$/m);
  assert.equal(text.includes('no limit'), false);
});
