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
    'agent/capture/dns-message.ts labelBytesMax nameBytesMax',
    'agent/jail/become-program.ts signalMax descriptorsMax',
    'agent/jail/capabilities.ts capabilitiesMax',
    'agent/jail/identity.ts groupsMax',
    'agent/jail/ways-out.ts repliesMax',
    'agent/jail/terminals.ts numberMax',
    'agent/placements/hashed-folder.ts hashNumbersMax',
    'agent/placements/resolv-conf.ts searchMax dotsMax',
    'system/unix-socket.ts socketPathBytesMax',
    'agent/uplink/delay.ts timerMsMax',
    'store/store-outage.ts timerMsMax',
    'gateway/config/config-schema.ts timerMsMax',
    'system/service-manager.ts timerMsMax',
    'gateway/admin/log-in-seal.ts sealedCharactersMax',
    'gateway/credentials/sigv4/aws-claim.ts presignSecondsMax',
    'gateway/credentials/sources/background-renewals.ts delayMsMax',
    'gateway/exchange/git-denial.ts bandBytesMax',
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
    'gateway/admin/admin-request.ts idCharactersMax',
    'gateway/admin/admin-server.ts keyCharactersMax',
    'gateway/admin/browser-log-in.ts toCharactersMax',
    'gateway/admin/log-in-sessions.ts groupsShownMax',
    'gateway/admin/person.ts shownCharactersMax',
    'gateway/identity/locked-out.ts namedMax',
    'cli/operator/access.ts noteCharactersMax',
    'cli/operator/contexts.ts contextsMax',
    'cli/operator/login.ts tokenBytesMax',
    'cli/operator/server-backend.ts pageEventsMax',
    'cli/policy/published-at-server.ts pageVersionsMax',
    'cli/terminal/text-table.ts cellMax',
    'store/chain/chain-findings.ts findingsMax',
    'store/chain/link-ranges.ts rangesMax',
    'store/uses/event-uses.ts nameCharactersMax',
    'http/printable.ts lengthMax',
    'policy/denial.ts nearMissesMax examinedMax pathShownMax',
    'policy/graphql-rule.ts shownMax',
    'policy/yaml-source.ts problemsMax',
    'protocol/nearest-name.ts typedLengthMax',
    'protocol/printable.ts charactersMax',
  ],
  'up to where one way is faster than another: both give the same': [
    'gateway/policies/policy-thread.ts portionWeightMax',
    'store/audit-search.ts tracesMax hostsMax hostsBelowMax',
    'store/chain/gathered-runs.ts stretchesMax',
    'store/sqlite/sqlite-uses.ts leftBatchesMax',
    'gateway/front/http1-client.ts joinBytesMax',
    'net/block-writer.ts spareBytesMax',
    'net/tunnel-stream.ts joinBytesMax',
    'net/websocket-writer.ts copyBytesMax',
    'policy/covering-index.ts portsIndexedMax',
    'policy/path-pattern.ts shortPathMax',
    'policy/path-prefix.ts segmentsMax',
    'policy/path-tails.ts segmentsMax',
    'policy/rule-index.ts plainRulesMax portsIndexedMax',
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
  'the size of what a policy may say, told by its reference beside the key': [
    'policy/condition.ts nodesMax depthMax',
    'policy/star-pattern.ts patternLengthMax',
    'policy/compile-graphql.ts placesMax',
    'policy/host-pattern.ts pairsMax',
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
    ],
  'what the page of the console holds, waits for or shows in the browser of who reads it: nothing of a gateway or an agent rests on it':
    [
      'console/api/admin-client.ts responseTimeoutMs',
      'console/api/event-feed.ts waitingMax',
      'console/api/event-stream.ts pendingCharactersMax',
      'console/model/body-text.ts linesMax lineCharactersMax',
      'console/model/clean-text.ts shownCharactersMax',
      'console/model/policy-lines.ts lineCharactersMax',
      'console/model/filter-completion.ts completionsMax eventsMax valueCharactersMax',
      'console/model/filter-language.ts filterCharactersMax',
      'console/model/held-events.ts heldMax notesMax',
      'console/model/live-rows.ts openMax',
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
