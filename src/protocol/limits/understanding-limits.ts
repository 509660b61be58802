// Bodies that rules look into.

import { MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const understandingLimits = {
  askedBodyBytesMax: fixedRow(
    4 * MiB,
    'body_too_large',
    'A body that policy explain is asked about: in base64, with the rest of the question, it is no longer than adminBodyBytesMax.',
  ),
  decisionStepsPerBodyOctet: fixedRow(
    1,
    'head_too_large',
    'What each octet of a body that a rule looks into adds to decisionStepsMax: to read it took about as long. Some ten conditions can look through a long body.',
  ),
  decisionStepsPerItem: fixedRow(
    5000,
    'head_too_large',
    'What it may cost to tell whether an item of a list is shown, some 50 µs. What takes more is not shown.',
  ),
  inspectBodyBytesMax: row(
    1 * MiB,
    'body_too_large',
    'A body that a rule looks into is held, decoded, until it is judged; a longer one is refused. To read 1 MiB takes some 4 ms, in which no other session is served.',
  ),
  jsonDepthMax: fixedRow(
    64,
    'policy_denied',
    'Arrays and objects inside each other in a body that a rule looks into; the strictest of the common parsers stops at 100.',
  ),
  jsonValuesMax: fixedRow(
    100_000,
    'policy_denied',
    'Values and names in a body that a rule looks into: some 10 MB of memory, and 10 ms to read.',
  ),
  listBytesMax: row(
    4 * MiB,
    'origin_malformed',
    'A list of a server of MCP, or an event of its stream, is held until it is whole, to take out what the session may not use.',
  ),
  listedToolsPerSessionMax: fixedRow(
    1000,
    'policy_denied',
    'Tools with a pin whose definitions are known of one session, some 300 bytes each. Beyond them the one that was listed longest ago is unknown again.',
  ),
  schemaNodesMax: fixedRow(
    1000,
    'config_invalid',
    'Schemas inside each other and beside each other in argumentsSchema of a rule; those of tools have some ten.',
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
    'Alarms of one session about tools that have changed: one within this time. A server that changes them with each list would fill the audit with them.',
  ),
  changedToolsToldMax: fixedRow(
    20,
    'policy_denied',
    'Tools that have changed, as an event of the audit names them.',
  ),
  listItemsMax: row(
    1000,
    'origin_malformed',
    'Items of such a list. The policy is asked about each of them, a tool with a pin three times, each time within decisionStepsPerItem, and no other session is served meanwhile.',
  ),
  auditedFieldsMax: fixedRow(
    32,
    'limit_exceeded',
    'Fields of the root of an operation of GraphQL, in the audit. Operations of programs have a few.',
  ),
  auditedOperationsMax: fixedRow(
    16,
    'limit_exceeded',
    'Operations of GraphQL of one request, in the audit. The event says how many there are, where that is more.',
  ),
  graphqlBatchMax: fixedRow(
    20,
    'policy_denied',
    'Requests of GraphQL in one array. Clients that send arrays stop at 10.',
  ),
  graphqlNestingMax: fixedRow(
    64,
    'policy_denied',
    'Brackets inside each other in a document of GraphQL, and selections with their fragments: readers call themselves for each. Documents that people write stop at some 15.',
  ),
  graphqlOperationsMax: fixedRow(
    32,
    'policy_denied',
    'Operations in a document of GraphQL. Each is judged with all fragments that it has.',
  ),
  graphqlTokensMax: fixedRow(
    10_000,
    'policy_denied',
    'Tokens of the documents of GraphQL in one request: some 10 ms to read, in which no other session is served. The longest queries of programs have some 2,000.',
  ),
  learnedIdsPerSessionMax: fixedRow(
    1000,
    'policy_denied',
    'Ids of one session that its mutations may have, some 600 octets each. Beyond them the one that was seen longest ago is unknown again.',
  ),
  learnedResponseBytesMax: fixedRow(
    1 * MiB,
    'policy_denied',
    'A response from which ids are learned is held until it is whole. Of a longer one nothing is learned.',
  ),
  auditedNameCharactersMax: fixedRow(
    256,
    'limit_exceeded',
    'Of a method, a tool, a resource or a prompt that a message of MCP names, in the audit. Names that exist are shorter.',
  ),
} as const satisfies Record<string, LimitRow>;
