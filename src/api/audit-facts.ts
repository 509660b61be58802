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

/** By the name of the field that has them. */
export const factSchemas = {
  git: gitFactsSchema.optional(),
  mcp: mcpFactsSchema.optional(),
} as const;

/** What a message of the Model Context Protocol is about. */
export type McpFacts = z.output<typeof mcpFactsSchema>;

/** What a request by git is about. */
export type GitFacts = z.output<typeof gitFactsSchema>;
