// Kinds of facts that an audit event can have: what was understood of a request beyond HTTP. Each kind is one object, and one row here.

import { z } from 'zod';

const gitFactsSchema = z
  .object({
    repository: z.string().describe('As the path names it, without `.git`.'),
    operation: z.enum(['fetch', 'push']).describe('`fetch` or `push`.'),
    refs: z
      .array(
        z
          .object({
            ref: z.string().describe('Full name, such as `refs/heads/main`.'),
            change: z.enum(['create', 'update', 'delete']).describe('`create`, `update` or `delete`.'),
          })
          .readonly(),
      )
      .readonly()
      .optional()
      .describe('Of a push whose commands were read: the refs that it changes, the first 64.'),
    options: z
      .array(z.string())
      .readonly()
      .optional()
      .describe('Of a push whose commands were read: its options (`git push -o`), the first 64.'),
    optionsTotal: z
      .int()
      .nonnegative()
      .optional()
      .describe('How many options there are, where that is more.'),
    refsTotal: z.int().nonnegative().optional().describe('How many refs there are, where that is more.'),
  })
  .readonly()
  .describe('Of a request by git.');

const mcpFactsSchema = z
  .object({
    method: z.string().describe('Such as `tools/call`; empty in a response to the server.'),
    tool: z.string().optional().describe('The tool that was called.'),
    resource: z.string().optional().describe('URI of the resource.'),
    prompt: z.string().optional().describe('Name of the prompt.'),
  })
  .readonly()
  .describe(
    'Of a request whose body a rule looked into and that is a JSON-RPC message; each text is cut at 256 characters.',
  );

const graphqlFactsSchema = z
  .object({
    operations: z
      .array(
        z
          .object({
            type: z.enum(['query', 'mutation', 'subscription']).describe('What kind of operation.'),
            name: z.string().optional().describe('The name that the client gives it.'),
            fields: z
              .array(z.string())
              .readonly()
              .describe('Fields of its root, each once, the first 32; aliases are not told.'),
          })
          .readonly(),
      )
      .readonly()
      .describe('The first 16.'),
    operationsTotal: z
      .int()
      .nonnegative()
      .optional()
      .describe('How many operations there are, where that is more.'),
    persisted: z
      .array(z.string())
      .readonly()
      .optional()
      .describe('Documents that the server keeps and that were asked for by their id, the first 16.'),
  })
  .readonly()
  .describe('Of a request whose operations of GraphQL a rule looked at; each text is cut at 256 characters.');
const tokens = z.int().nonnegative().optional();

const llmFactsSchema = z
  .object({
    api: z.string().describe('Such as `openai-chat`.'),
    model: z.string().describe('As the request names it, cut at 256 characters.'),
    isCount: z.literal(true).optional().describe('It asked how many tokens a call would have.'),
    streams: z.boolean().describe('Whether the response is a stream.'),
    set: z
      .array(z.string())
      .optional()
      .describe('Members that the gateway set in the request, such as `max_tokens`.'),
    inputTokens: tokens.describe('Tokens that were read anew.'),
    cachedTokens: tokens.describe('Tokens that were read from a cache.'),
    cacheWrittenTokens: tokens.describe('Tokens that were read and written into a cache.'),
    outputTokens: tokens.describe('Tokens that the model wrote.'),
    nanoUsd: z
      .int()
      .nonnegative()
      .optional()
      .describe('What it cost, in billionths of one US dollar, rounded up; absent where no price is known.'),
    isEstimate: z
      .literal(true)
      .optional()
      .describe('Nobody said what was used: the numbers are the most that it could have been.'),
  })
  .readonly()
  .describe('Of a call of a model that a rule with `llm` looked into.');
const packageFactsSchema = z
  .object({
    registry: z.string().describe('How the registry speaks, such as `npm`.'),
    name: z.string().describe('In the form in which the registry compares names.'),
    version: z.string().optional().describe('Of a request for one version.'),
    isArchive: z
      .literal(true)
      .optional()
      .describe('The request is for what is installed, and not for a list or a description of it.'),
    operation: z
      .enum(['publish', 'tag', 'deprecate', 'unpublish', 'yank', 'unyank', 'owners'])
      .optional()
      .describe(
        'What the request does, where it does not fetch: `publish`, `tag`, `deprecate`, `unpublish`, `yank`, `unyank` or `owners`.',
      ),
    published: z
      .string()
      .optional()
      .describe(
        'When the version came out, or of PyPI the file, as far as the gateway had to know it. Of Go and Maven: when it was seen first.',
      ),
    digest: z
      .string()
      .optional()
      .describe(
        'What came, where it was checked to be what the registry promises: `sha512-` and base64. Of `operation: publish`: what was sent.',
      ),
    installScripts: z
      .enum(['yes', 'no', 'unknown'])
      .optional()
      .describe(
        'Whether clients run something of the archive when they install it, as far as the registry says; of a rule with `installScripts: tell`.',
      ),
    cache: z
      .enum(['hit', 'joined', 'revalidated', 'stale'])
      .optional()
      .describe(
        '`hit`: it came from the cache; `joined`: by the fetch of another request. Of metadata also `revalidated`: the registry said that what the cache has did not change; `stale`: the registry was away. Absent where the origin was asked for this one.',
      ),
  })
  .readonly()
  .describe('Of a request for a package, where rules for its host are about packages.');

const leakFactsSchema = z
  .object({
    kind: z
      .enum(['credential', 'canary', 'shape', 'unsearched'])
      .describe('`credential`, `canary`, `shape`; `unsearched` where it could not be searched.'),
    name: z.string().describe('Of the credential, the canary or the shape, or why it could not be searched.'),
    place: z
      .enum(['url', 'field', 'body', 'trailer', 'message'])
      .describe('`url`, `field`, `body`, `trailer`, or `message` of a WebSocket.'),
    action: z.enum(['blocked', 'redacted', 'told']).describe('`blocked`, `redacted` or `told`.'),
    hash: z.string().optional().describe('Of a shape: by which `leaks.allow` lets this text through.'),
  })
  .readonly();
const leaksFactsSchema = z
  .array(leakFactsSchema)
  .readonly()
  .describe(
    'What a rule with `leaks` found in the request, never the text itself; the first 16. `requestBytes` says how much of the body had left.',
  );

const screenFactsSchema = z
  .object({
    mark: z
      .enum(['hidden-text', 'canary', 'phrase', 'decider', 'unscreened'])
      .describe(
        '`hidden-text`, `canary`, `phrase`; `decider` where one does not allow it; `unscreened` where it came encoded, switched to a WebSocket, is a stream of events that goes on, or a decider said nothing.',
      ),
    name: z.string().describe('Which one of its kind; the name of the decider.'),
    action: z.enum(['blocked', 'annotated', 'told']).describe('`blocked`, `annotated` or `told`.'),
  })
  .readonly();

const questionFactsSchema = z
  .object({
    id: z.string().describe('Of the question, by which a client joins it again.'),
    outcome: z
      .enum(['allowed', 'denied', 'open'])
      .describe(
        '`allowed`, `denied`, or `open` where nobody had answered when its client was told, or left.',
      ),
    answer: z.enum(['once', 'session', 'minutes', 'always']).optional().describe('How far it was allowed.'),
    by: z.string().optional().describe('Who answered.'),
    heldMs: z.int().nonnegative().describe('How long the request waited.'),
  })
  .readonly()
  .describe('What a person was asked about a request of a rule with `ask`.');
const deciderFactsSchema = z
  .object({
    name: z.string().describe("In the gateway's configuration."),
    outcome: z
      .enum(['allowed', 'denied', 'undefined', 'unavailable'])
      .describe('`allowed`, `denied`, `undefined` (it said nothing), `unavailable` (it could not be asked).'),
    durationMs: z.int().nonnegative().describe('How long it took.'),
    of: z.literal('response').optional().describe('`screen` of the rule asked it about the response.'),
    isCached: z.literal(true).optional().describe('What it had said before was used.'),
    isOnTrial: z
      .literal(true)
      .optional()
      .describe('Its rule observes: the request was let through whatever it said.'),
    said: z.string().optional().describe('Why, cut at 256 characters; of `unavailable`, what failed.'),
    decisionId: z.string().optional().describe('By which its own log has it.'),
    set: z.array(z.string()).readonly().optional().describe('Request fields that it set.'),
    removed: z.array(z.string()).readonly().optional().describe('Request fields that it took out.'),
  })
  .readonly();

/** By the name of the field that has them. */
export const factSchemas = {
  git: gitFactsSchema.optional(),
  mcp: mcpFactsSchema.optional(),
  graphql: graphqlFactsSchema.optional(),
  leaks: leaksFactsSchema.optional(),
  screened: z
    .array(screenFactsSchema)
    .readonly()
    .optional()
    .describe('Marks that a rule with `screen` found at the beginning of the response; the first 16.'),
  llm: llmFactsSchema.optional(),
  question: questionFactsSchema.optional(),
  package: packageFactsSchema.optional(),
  deciders: z
    .array(deciderFactsSchema)
    .readonly()
    .optional()
    .describe('Systems of the operator that a rule with `decide`, or `screen`, asked, in their order.'),
} as const;

/** What a message of the Model Context Protocol is about. */
export type McpFacts = z.output<typeof mcpFactsSchema>;

/** What a request to a server of GraphQL asks for. */
export type GraphqlFacts = z.output<typeof graphqlFactsSchema>;
/** What a call of a model is about, and what it took. */
export type LlmFacts = z.output<typeof llmFactsSchema>;

/** What became of a question about a request. */
export type QuestionFacts = z.output<typeof questionFactsSchema>;

/** One mark that was found in a response. */
export type ScreenFacts = z.output<typeof screenFactsSchema>;

/** One system that was asked about a request. */
export type DeciderFacts = z.output<typeof deciderFactsSchema>;

/** One thing that was found in a request. */
export type LeakFacts = z.output<typeof leakFactsSchema>;

/** Which package a request is for. */
export type PackageFacts = z.output<typeof packageFactsSchema>;

/** What a request by git is about. */
export type GitFacts = z.output<typeof gitFactsSchema>;
