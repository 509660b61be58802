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
      .enum(['hidden-text', 'canary', 'phrase', 'unscreened'])
      .describe('`hidden-text`, `canary`, `phrase`; `unscreened` where it came encoded.'),
    name: z.string().describe('Which one of its kind.'),
    action: z.enum(['blocked', 'annotated', 'told']).describe('`blocked`, `annotated` or `told`.'),
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
} as const;

/** What a message of the Model Context Protocol is about. */
export type McpFacts = z.output<typeof mcpFactsSchema>;

/** What a request to a server of GraphQL asks for. */
export type GraphqlFacts = z.output<typeof graphqlFactsSchema>;
/** What a call of a model is about, and what it took. */
export type LlmFacts = z.output<typeof llmFactsSchema>;

/** One mark that was found in a response. */
export type ScreenFacts = z.output<typeof screenFactsSchema>;

/** One thing that was found in a request. */
export type LeakFacts = z.output<typeof leakFactsSchema>;

/** What a request by git is about. */
export type GitFacts = z.output<typeof gitFactsSchema>;
