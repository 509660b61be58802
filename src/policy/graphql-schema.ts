// `graphql` of a rule as it is written.

import { z } from 'zod';
import { argumentsSchema } from './argument-schema.ts';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const fieldHint = 'write a field of the root such as viewer or create*, or a list of them; * is any text';
const nameHint = 'write the name of an operation, or a list of them; * is any text, also none';
const keptHint = 'write sha256: and the hash of a document, or its documentId, or a list of them';
const inputHint = 'write the arguments of fields as a map, such as { repository: { owner: acme } }';
const placeHint = 'write names of fields with dots, such as issue.id, or a list of them';
const textHint = 'write the name of an argument such as body, or a list of them';
const idsHint =
  'write ids as a map, such as { from: { repository: { owner: acme } }, at: [id, issue.id], text: body }';
const maxHint = 'write a whole number of at least 1';
const onHint = 'write true, or leave it out';

const fields = oneOrMany(text(fieldHint), fieldHint).optional();
const max = z.int({ error: maxHint }).min(1, { error: maxHint }).optional();
const on = z.literal(true, { error: onHint }).optional();

/** A rule about operations of GraphQL. */
export const graphqlSchema = strictMap(
  {
    queries: fields.describe(
      'Fields of the root that queries may have, or in a rule that denies: may not. None by default.',
    ),
    mutations: fields.describe('The same for mutations. None by default.'),
    subscriptions: fields.describe('The same for subscriptions. None by default.'),
    arguments: z
      .record(z.string(), argumentsSchema(inputHint), { error: inputHint })
      .optional()
      .describe(
        'What arguments of such a field must be, by the name of the field; the others may be anything.',
      ),
    introspection: on.describe('Queries may ask for the schema, or in a rule that denies: may not.'),
    names: oneOrMany(text(nameHint), nameHint)
      .optional()
      .describe('Names that operations must have; a client can give any name to any operation.'),
    depthMax: max.describe('Fields inside each other, with fragments written out.'),
    aliasesMax: max.describe('Fields under another name, with fragments written out.'),
    costMax: max.describe(
      'Fields, with fragments written out, each as often as the pages that it is in have items (first, last).',
    ),
    batch: on.describe(
      'Several requests may come in one array, or in a rule that denies: may not. Each is judged.',
    ),
    uploads: on.describe(
      'Files may come with a request, in a form (multipart), or in a rule that denies: may not.',
    ),
    webSocket: on.describe(
      'Operations may come on a WebSocket (graphql-transport-ws, graphql-ws), or in a rule that denies: no such WebSocket may be opened. Each is judged.',
    ),
    ids: strictMap(
      {
        from: z
          .record(z.string(), argumentsSchema(inputHint), { error: inputHint })
          .describe(
            'Fields of the root of queries, with what their arguments must be, such as { repository: { owner: acme } }.',
          ),
        at: oneOrMany(text(placeHint), placeHint).describe(
          'Where below them ids stand in responses, as names of fields: id, issue.id, issues.nodes.id.',
        ),
        text: oneOrMany(text(textHint), textHint)
          .optional()
          .describe('Names of arguments of mutations that may have any text or number: body, title.'),
      },
      { hint: idsHint, synonyms: { paths: 'at', free: 'text' } },
    )
      .optional()
      .describe('Mutations may have ids that responses of the session had at such places, and no others.'),
    persisted: oneOrMany(text(keptHint), keptHint)
      .optional()
      .describe(
        'Documents that the server keeps and that may be asked for by sha256:HASH or documentId alone.',
      ),
  },
  {
    hint: 'write graphql as a map, such as { queries: "*", mutations: [addComment] }',
    synonyms: {
      query: 'queries',
      mutation: 'mutations',
      subscription: 'subscriptions',
      args: 'arguments',
      argument: 'arguments',
      operations: 'names',
      operationNames: 'names',
      maxDepth: 'depthMax',
      depth: 'depthMax',
      maxAliases: 'aliasesMax',
      aliases: 'aliasesMax',
      maxCost: 'costMax',
      cost: 'costMax',
      complexity: 'costMax',
      batching: 'batch',
      webSockets: 'webSocket',
      websocket: 'webSocket',
      multipart: 'uploads',
      files: 'uploads',
      persistedQueries: 'persisted',
      hashes: 'persisted',
    },
  },
);
