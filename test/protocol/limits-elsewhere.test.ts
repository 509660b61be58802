// Limits stand in the table, src/protocol/limits/. What bounds something and stands elsewhere is listed here with its reason, and
// leaves this list when it goes.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** By reason: files with the names of their constants. */
const elsewhere: Readonly<Record<string, readonly string[]>> = {
  'a number of somebody else’s format or interface, which is not ours to choose': [
    'agent/caller-fetch.ts redirectsMax',
    'gateway/packages/advisories/cvss-severity.ts vectorLengthMax',
    'gateway/packages/zip-archive.ts commentLengthMax',
    'protocol/dns-name.ts labelBytesMax nameBytesMax',
    'agent/jail/become-program.ts signalMax descriptorsMax',
    'agent/jail/capabilities.ts capabilitiesMax',
    'agent/jail/identity.ts groupsMax',
    'agent/jail/ways-out.ts repliesMax',
    'agent/jail/terminals.ts numberMax',
    'agent/placements/hashed-folder.ts hashNumbersMax',
    'agent/placements/resolv-conf.ts searchMax dotsMax',
    'system/unix-socket.ts socketPathBytesMax',
    'agent/uplink/delay.ts timerMsMax',
    'gateway/cache/shared-fetch.ts timerMsMax',
    'store/store-outage.ts timerMsMax',
    'gateway/config/config-schema.ts timerMsMax',
    'system/service-manager.ts timerMsMax',
    'gateway/admin/log-in-seal.ts sealedCharactersMax',
    'gateway/credentials/sigv4/aws-claim.ts presignSecondsMax regionsMax',
    'gateway/credentials/sigv4/sigv4a-key.ts candidateMax counterMax',
    'gateway/credentials/sources/background-renewals.ts delayMsMax',
    'gateway/databases/postgres/client-messages.ts bodyBytesMax',
    'gateway/databases/postgres/client-login.ts loginMessageBytesMax',
    'gateway/databases/postgres/start-packet.ts startPacketBytesMax cancelSecretBytesMax',
    'gateway/databases/mysql/client-start.ts startBytesMax',
    'gateway/databases/mysql/command-rule.ts databaseBytesMax',
    'gateway/databases/mysql/greeting.ts versionCharactersMax',
    'gateway/databases/mysql/packet.ts payloadBytesMax errorBytesMax',
    'gateway/databases/redis/resp.ts headLineBytesMax loginArgumentsMax loginArgumentBytesMax inlineBytesMax',
    'gateway/git/push-report.ts bandBytesMax',
    'gateway/git/read-push.ts deflateRatioMax',
    'gateway/scrub/envelope-borders.ts payloadBytesMax',
    'gateway/scrub/search-table.ts lineEndBytesMax',
    'gateway/scrub/websocket-scrubber.ts headerBytesMax',
    'http/authority.ts textLengthMax',
    'http/latin1-text.ts argumentsMax',
    'intercept/client-hello.ts recordBytesMax',
    'net/alias-chain.ts nameLengthMax',
    'net/websocket-frame.ts controlPayloadBytesMax headerBytesMax',
    'policy/git-commands.ts packetBytesMax',
    'protocol/frame-codec.ts uint31Max',
    'understand/packages/npm-request.ts nameLengthMax',
    'understand/packages/oci-request.ts nameLengthMax',
    'protocol/open-fields.ts fieldBytesMax',
  ],
  'part of the wire between agent and gateway, which neither side may choose alone': [
    'protocol/chunk-codec.ts groupDepthMax',
    'protocol/keep-alive.ts pingsMax',
    'protocol/tunnel-fault.ts messageCharactersMax',
    'gateway/tunnels/plain-stream.ts saidCharactersMax',
  ],
  'what one line for a person holds: it is cut, and refuses nothing': [
    'cli/definition/option-value.ts quotedMax',
    'cli/gateway/cache.ts shownMax',
    'cli/gateway/packages.ts shownMax',
    'gateway/packages/advisories/import-advisories.ts namesShownMax',
    'gateway/packages/advisories/advisory-file.ts headBytesMax',
    'gateway/packages/advisories/merged-advisories.ts idsMax',
    'gateway/packages/advisories/osv-record.ts aliasesMax',
    'gateway/admin/admin-request.ts idCharactersMax',
    'gateway/admin/admin-server.ts keyCharactersMax',
    'gateway/admin/browser-log-in.ts toCharactersMax',
    'gateway/admin/log-in-sessions.ts groupsShownMax',
    'gateway/admin/person.ts shownCharactersMax',
    'gateway/databases/postgres/open-session.ts errorCharactersMax',
    'gateway/databases/counted-commands.ts namesMax',
    'gateway/databases/mysql/kill-statement.ts killBytesMax',
    'gateway/databases/mysql/open-session.ts errorCharactersMax',
    'gateway/databases/mysql/stand-in.ts standInErrorBytesMax',
    'gateway/databases/redis/server-login.ts responseBytesMax',
    'gateway/databases/redis/server-replies.ts errorBytesMax',
    'gateway/databases/redis/stand-in.ts commandNameBytesMax',
    'gateway/ssh/ssh-server.ts shownCharactersMax',
    'gateway/databases/postgres/sql/statement-judge.ts fingerprintsMax',
    'gateway/identity/locked-out.ts namedMax',
    // Signing keys that are accepted: three at a time.
    'gateway/credentials/kept/kept-seal.ts wrapsMax',
    'cli/operator/access.ts noteCharactersMax',
    'cli/operator/contexts.ts contextsMax',
    'cli/operator/login.ts tokenBytesMax',
    'cli/operator/server-backend.ts pageEventsMax',
    'cli/policy/published-at-server.ts pageVersionsMax',
    'console/model/session-bill.ts pagesMax',
    'cli/terminal/text-table.ts cellMax',
    'store/chain/chain-findings.ts findingsMax',
    'store/chain/link-ranges.ts rangesMax',
    'store/uses/event-uses.ts nameCharactersMax',
    'http/printable.ts lengthMax',
    'policy/denial.ts nearMissesMax examinedMax pathShownMax',
    'gateway/exchange/package-denial.ts nameShownMax',
    'policy/package-text.ts patternsShownMax',
    'policy/graphql-rule.ts shownMax',
    'policy/yaml-source.ts problemsMax',
    'protocol/nearest-name.ts typedLengthMax',
    'protocol/printable.ts charactersMax',
  ],
  'up to where one way is faster than another: both give the same': [
    'gateway/databases/mysql/known-servers.ts serversMax',
    'gateway/policies/policy-thread.ts portionWeightMax',
    'store/audit-search.ts tracesMax hostsMax hostsBelowMax',
    'store/chain/gathered-runs.ts stretchesMax',
    'store/sqlite/sqlite-uses.ts leftBatchesMax',
    'store/uses/shared-use.ts knownMax',
    'gateway/front/http1-client.ts joinBytesMax',
    'net/block-writer.ts spareBytesMax',
    'net/lent-block.ts pieceBytesMax countMax',
    'net/tunnel-stream.ts joinBytesMax',
    'net/websocket-writer.ts copyBytesMax',
    'policy/covering-index.ts portsIndexedMax',
    'policy/path-pattern.ts shortPathMax',
    'policy/path-prefix.ts segmentsMax',
    'policy/path-tails.ts segmentsMax',
    'policy/rule-index.ts plainRulesMax portsIndexedMax',
    'understand/packages/advisory-index.ts keptMax keptBytesMax',
    'policy/touching-index.ts portsIndexedMax',
    'protocol/output-queue.ts sparesMax',
  ],
  'a part of a limit of the table, to which it stands in a fixed ratio': [
    'gateway/audit/audit-retention.ts batchesMax',
    'gateway/forward/loop-guard.ts viaCharactersMax',
    'http/framing.ts framingBytesPerByteMax',
    'http/response-reader.ts chunkLineBytesMax chunkOverheadBytesMax',
    'intercept/first-bytes.ts methodBytesMax',
    'net/byte-stream.ts waitingBytesMax',
    'protocol/spool-record.ts recordBytesMax',
  ],
  'where git and its names end, beyond which nothing is refused that a person would write': [
    'agent/trust/git-configuration.ts variablesMax',
    'understand/git-identity.ts lengthMax',
  ],
  'the size of what a policy may say, told by its reference beside the key': [
    'policy/condition.ts nodesMax depthMax',
    'policy/star-pattern.ts patternLengthMax',
    'policy/compile-graphql.ts placesMax',
    'policy/host-pattern.ts pairsMax',
    'policy/package-pattern.ts comparatorsMax',
    'policy/package-text.ts pairsMax',
    'policy/rule-aspects.ts pairsMax',
    'policy/path-automaton.ts setsMax',
    'policy/path-pattern.ts patternLengthMax',
    'policy/yaml-source.ts depthMax',
  ],
  'up to where a proposal for a person is told in full: beyond it stands a shorter one, and nothing is refused':
    [
      'cli/policy/git-proposal.ts refsMax',
      'cli/job/job-annotations.ts levelMax',
      'cli/job/job-summary.ts proposalCharactersMax',
      'cli/policy/path-template.ts beginningMax',
      'cli/policy/denied-paths.ts pathsMax',
      'cli/policy/seen-paths.ts patternsMax rememberedMax',
      'cli/policy/seen-mysql.ts namesMax',
      'cli/policy/seen-redis.ts namesMax',
    ],
  'what the page of the console holds, waits for or shows in the browser of who reads it: nothing of a gateway or an agent rests on it':
    [
      'console/api/admin-client.ts responseTimeoutMs',
      'console/api/event-feed.ts waitingMax',
      'console/api/event-stream.ts pendingCharactersMax',
      'console/model/allow-rule.ts notedFactsMax',
      'console/model/body-text.ts linesMax lineCharactersMax',
      'console/model/clean-text.ts shownCharactersMax',
      'console/model/policy-lines.ts lineCharactersMax',
      'console/model/filter-completion.ts completionsMax eventsMax valueCharactersMax',
      'console/model/filter-language.ts filterCharactersMax',
      'console/model/held-events.ts heldMax notesMax',
      'console/model/live-rows.ts openMax',
      'console/model/open-events.ts openRowsMax',
      'console/model/saved-views.ts nameCharactersMax filterCharactersMax',
      'console/model/schema-completion.ts expansionsMax',
      'console/model/time-added.ts stepsMax',
      'console/views/policy/typed-check.ts charactersMax',
    ],
  'what the library of an orchestrator sends, takes as a cursor, or waits between tries: nothing of a gateway or an agent rests on it':
    [
      'admin/admin.ts connectionsMax',
      'admin/followed-events.ts idCharactersMax',
      'admin/page-walk.ts cursorCharactersMax',
      'admin/retried-call.ts pauseMsMax',
    ],
  'what names, versions, addresses and attestations of registries stay within: a longer one is none, and no rule allows it':
    [
      'gateway/packages/publish-times.ts nameLengthMax',
      'gateway/credentials/request/revealing-requests.ts prefixSegmentsMax',
      'gateway/packages/seen-versions.ts itemLengthMax',
      'gateway/packages/advisories/osv-record.ts versionLengthMax',
      'gateway/packages/sigstore-verifier.ts depthMax entriesMax proofHashesMax certificateCharactersMax textLengthMax',
      'understand/packages/package-request.ts segmentLengthMax segmentsMax',
      'understand/packages/packument.ts nameBytesMax partBytesMax',
      'understand/packages/pypi-request.ts dashesMax',
      'understand/packages/rubygems-request.ts dashesMax',
      'understand/packages/version-order.ts versionLengthMax',
    ],
  'from where on the doctor tells of something: nothing is held or waited for': [
    'agent/doctor/environment-problems.ts clockSkewMsMax',
  ],
};

/** Names that say of a number that it bounds something. */
const bound =
  /^(?:export )?const (\w*(?:Max|imeoutMs|[gG]raceMs|[lL]ingerMs|AgeMs|WaitMs)) = [^;\n]*\d[^;\n]*;/gm;

test('a number that bounds something is a row of the table, or has a reason why not', () => {
  const files = globSync('**/*.ts', { cwd: src })
    .filter((file) => !file.startsWith('protocol/limits/'))
    .toSorted();
  assert.ok(files.length > 300, `only ${files.length} files`);
  const found = files.flatMap((file) => {
    const names = [...readFileSync(`${src}/${file}`, 'utf8').matchAll(bound)].map(([, name = '']) => name);
    return names.map((name) => `${file} ${name}`);
  });
  const listed = Object.values(elsewhere)
    .flat()
    .flatMap((line) => {
      const [file = '', ...names] = line.split(' ');
      return names.map((name) => `${file} ${name}`);
    });
  assert.deepEqual(
    found.filter((one) => !listed.includes(one)),
    [],
    'write a row in src/protocol/limits/',
  );
  assert.deepEqual(
    listed.filter((one) => !found.includes(one)),
    [],
    'take it off this list',
  );
  assert.equal(new Set(listed).size, listed.length);
});
