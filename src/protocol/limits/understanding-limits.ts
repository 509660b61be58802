// Bodies that rules look into.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const understandingLimits = {
  askedBodyBytesMax: fixedRow(
    4 * MiB,
    'body_too_large',
    'A body that policy explain is asked about: in base64, with the rest of the question, it is no longer than adminBodyBytesMax.',
  ),
  decisionStepsPerBodyOctet: fixedRow(
    1,
    'head_too_large',
    'What each octet of a body that a rule looks into adds to `decisionStepsMax`. Reading it took about as long. Some ten conditions can search a long body.',
  ),
  decisionStepsPerItem: fixedRow(
    5000,
    'head_too_large',
    'What deciding whether an item of a list is shown may cost, some 50 µs. An item that takes more is not shown.',
  ),
  inspectBodyBytesMax: row(
    1 * MiB,
    'body_too_large',
    'A body that a rule looks into. It is held, decoded, until it is judged. A longer one is refused. Reading 1 MiB takes some 4 ms, in which no other session is served.',
  ),
  publishBodyBytesMax: row(
    12 * MiB,
    'body_too_large',
    'A body that publishes a package, where a rule says which packages may be. It is held until it is judged; a longer one is refused. crates.io takes 10 MiB. To read 12 MiB takes some 0.2 s of a form that is mostly the file, in which no other session is served. For more, raise `heldBodiesPerSessionBytesMax` too.',
  ),
  formPartsMax: fixedRow(
    1000,
    'policy_denied',
    'Parts of a form that a rule looks into: each takes longer to read than its octets. An upload to PyPI has some 50.',
  ),
  formHeadLineBytesMax: fixedRow(
    4096,
    'policy_denied',
    'Bytes of a line in the head of a part of a form that a rule looks into: names of parts and files are much shorter.',
  ),
  jsonDepthMax: fixedRow(
    64,
    'policy_denied',
    'Arrays and objects inside each other in a body that a rule looks into. The strictest of the common parsers stops at 100.',
  ),
  jsonValuesMax: fixedRow(
    100_000,
    'policy_denied',
    'Values and names in a body that a rule looks into: some 10 MB of memory, and 10 ms to read.',
  ),
  listBytesMax: row(
    4 * MiB,
    'origin_malformed',
    'A response of an MCP server, or an event of its stream. It is held until it is whole, so that the gateway can remove what the session may not use or be asked.',
  ),
  listedToolsPerSessionMax: fixedRow(
    1000,
    'policy_denied',
    'Tools with a pin whose definitions are known for one session, some 300 bytes each. Beyond it, the one that was listed longest ago is unknown again.',
  ),
  schemaNodesMax: fixedRow(
    1000,
    'config_invalid',
    "Schemas inside and beside each other in a rule's `argumentsSchema`. Those of tools have some ten.",
  ),
  schemaPatternCharactersMax: fixedRow(1000, 'config_invalid', 'A regular expression of such a schema.'),
  schemaPatternStatesMax: fixedRow(
    1000,
    'config_invalid',
    'States of such an expression, with its repetitions written out: each character of a text may be compared with all of them.',
  ),
  toolAlarmMs: fixedRow(
    60_000,
    'policy_denied',
    'Alarms of one session about changed tools: one within this time. A server that changes them with each list would fill the audit.',
  ),
  packageAlarmMs: fixedRow(
    60_000,
    'policy_denied',
    'Alarms about one package that is not what was promised: one within this time.',
  ),
  packageAlarmsMax: fixedRow(
    1000,
    'policy_denied',
    'Packages for which the time of the last alarm is remembered. A further one raises another alarm.',
  ),
  packageAsksBeforeMax: fixedRow(
    2,
    'limit_exceeded',
    'Questions of others about a package that may fail while a request waits for them. Then the request has the registry asked again.',
  ),
  changedToolsToldMax: fixedRow(20, 'policy_denied', 'Changed tools that an event of the audit names.'),
  hiddenVersionsToldMax: fixedRow(
    20,
    'policy_denied',
    'Versions of a package that were taken out of a list, and that an event of the audit names.',
  ),
  billHiddenVersionsMax: fixedRow(
    100,
    'usage',
    'Hidden versions of one package that the report about a session names.',
  ),
  packageBillMax: fixedRow(
    100_000,
    'usage',
    'Versions of packages in the report about one session, so that it fits in memory.',
  ),
  listItemsMax: row(
    1000,
    'origin_malformed',
    'Items of such a list. The policy is asked about each of them, about a tool with a pin three times, each time within `decisionStepsPerItem`. No other session is served meanwhile.',
  ),
  auditedFieldsMax: fixedRow(
    32,
    'limit_exceeded',
    'Root fields of a GraphQL operation in the audit. Operations of programs have a few.',
  ),
  auditedOperationsMax: fixedRow(
    16,
    'limit_exceeded',
    'GraphQL operations of one request in the audit. If there are more, the event says how many.',
  ),
  graphqlBatchMax: fixedRow(
    20,
    'policy_denied',
    'GraphQL requests in one array. Clients that send arrays stop at 10.',
  ),
  graphqlNestingMax: fixedRow(
    64,
    'policy_denied',
    'Brackets inside each other in a GraphQL document, and selections with their fragments. Readers recurse for each of them. Documents that people write stop at some 15.',
  ),
  graphqlOperationsMax: fixedRow(
    32,
    'policy_denied',
    'Operations in a GraphQL document. Each is judged with all its fragments.',
  ),
  graphqlTokensMax: fixedRow(
    10_000,
    'policy_denied',
    'Tokens of the GraphQL documents in one request: some 10 ms to read, in which no other session is served. The longest queries of programs have some 2,000.',
  ),
  toldMessagesBytesMax: fixedRow(
    256 * 1024,
    'limit_exceeded',
    'Responses to denied operations on a WebSocket that its client has not taken. Beyond it the socket is closed.',
  ),
  knownIdsAskMs: fixedRow(
    1000,
    'policy_denied',
    'How often the store is asked for ids that a session got elsewhere, however many unknown ones the session sends.',
  ),
  learnedIdsPerSessionMax: fixedRow(
    1000,
    'policy_denied',
    'Ids that the mutations of one session may have, some 300 octets each. Beyond it, the one that was seen longest ago is unknown again.',
  ),
  learnedResponseBytesMax: fixedRow(
    1 * MiB,
    'policy_denied',
    'A response from which ids are learned. It is held until it is whole. Nothing is learned from a longer one.',
  ),
  packageMetadataBytesMax: row(
    64 * MiB,
    'origin_malformed',
    "A registry's metadata of one package. It is held, twice at its end, so that versions can be removed. The largest that are known have 50 MB.",
  ),
  packageVersionsMax: row(
    50_000,
    'origin_malformed',
    'Versions of one package, with its tags. The policy is asked about each of them. Packages that are built each night have some 10,000.',
  ),
  publishTimesMax: row(
    500_000,
    'limit_exceeded',
    'Times of versions, and promises of archives, that are kept in memory, some 100 MB. Those of packages that were not asked for the longest leave.',
  ),
  publishTimesAgainMs: row(
    60_000,
    'limit_exceeded',
    'How soon the registry is asked again about a version that it did not list: one that came out meanwhile is too young in any case. The same holds for a package whose archives are not what was promised.',
  ),
  publishTimesTimeoutMs: row(
    30_000,
    'timeout',
    'Asking a registry when a version came out. A client waits no longer for an archive.',
  ),
  packagePromiseBytesMax: fixedRow(
    65_536,
    'origin_malformed',
    'Of a file in which a registry promises what an archive is. It has a digest, and perhaps a name.',
  ),
  moduleBytesMax: fixedRow(
    500 * MiB,
    'package_altered',
    'Of the files of a Go module, unpacked. Its zip is unpacked as it passes, so that its files can be compared with what the checksum database has. go takes no longer ones.',
  ),
  moduleFreeBytesMax: fixedRow(
    16 * MiB,
    'package_altered',
    'So much of a Go module may be unpacked whatever its zip is long. Files that repeat themselves become very short.',
  ),
  moduleRatioMax: fixedRow(
    100,
    'package_altered',
    'Beyond, a Go module may be so many times as long unpacked as what came of its zip. Source becomes five to ten times shorter, and a zip that is made to cost work a thousand times.',
  ),
  moduleFilesMax: fixedRow(
    100_000,
    'package_altered',
    'Files of a Go module. The name and the hash of each are held until the zip has come. The largest that are known have some 30,000.',
  ),
  moduleAheadBytesMax: fixedRow(
    256 * KiB,
    'flow_control',
    'How much of a Go module may have come that is not unpacked yet. Beyond, its proxy waits.',
  ),
  checksumRecordsMax: fixedRow(
    50_000,
    'package_altered',
    'Versions of Go modules whose hashes the gateway knows of the checksum database, some 20 MB, and as many of which that has none. Those that were not asked for the longest leave, and are asked for again.',
  ),
  checksumHeadTriesMax: fixedRow(
    64,
    'package_altered',
    'How often one record of the checksum database is compared with the newest head, where others bring a newer one meanwhile. Each of them has got on then.',
  ),
  checksumTilesMax: fixedRow(
    1_024,
    'package_altered',
    'Tiles of the checksum database, of at most 8 KiB each, that are kept to prove further records. Those that came first leave, and are fetched again.',
  ),
  imageManifestBytesMax: fixedRow(
    4 * MiB,
    'origin_malformed',
    'Of a manifest of an image, which is read where an image has to be of an age. Registries take no longer ones.',
  ),
  imagePartsMax: fixedRow(
    1_000,
    'policy_denied',
    'Layers of an image, or images of an index, that are remembered with it. Images that exist have at most 127 layers. One with more is not old enough.',
  ),
  packageProvenanceBytesMax: fixedRow(
    512 * 1024,
    'origin_malformed',
    'Attestations of one version of a package, as the registry sends them. Those of npm and PyPI have some 20 KiB.',
  ),
  packageAttestationsMax: fixedRow(
    16,
    'policy_denied',
    'Attestations of one version that are looked at; verifying one takes some 3 ms. Versions of npm have two.',
  ),
  packageProvenanceMax: fixedRow(
    20_000,
    'limit_exceeded',
    'Versions of packages of which it is remembered who built them, some 500 bytes each. Those that were asked for longest ago leave.',
  ),
  packageProvenanceAgainMs: fixedRow(
    3_600_000,
    'limit_exceeded',
    'How soon attestations that hold are asked for again: a version that is published again has other ones.',
  ),
  auditedNameCharactersMax: fixedRow(
    256,
    'limit_exceeded',
    'A method, tool, resource or prompt that an MCP message names, in the audit, and ids of operations on a WebSocket. Names that exist are shorter.',
  ),
} as const satisfies Record<string, LimitRow>;
