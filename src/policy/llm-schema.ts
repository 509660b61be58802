// `llm` of a rule as it is written.

import { z } from 'zod';
import { llmApis } from '../understand/llm-endpoint.ts';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const apiHint = `write the API of the service: ${llmApis.join(', ')}`;
const modelHint = 'write the name of a model, or a list of them; * is any text';
const toolHint = 'write the name of a tool such as search or issues_*, or a list of them; * is any text';
const unboundedHint =
  'write the name of a field, a kind of content or a tool of the service, or a list of them';
const tokensHint = 'write a whole number of tokens from 1';
const moneyHint = 'write an amount in US dollars above 0, with at most nine decimals, such as 2.50';
const amountsHint = 'write for how long it is, such as { session: 500000, day: 5000000 }';
const nameHint = 'write a name of at most 64 lower-case letters, digits, ".", "_" and "-", such as models';

const tokens = z
  .int({ error: tokensHint })
  .min(1, { error: tokensHint })
  .max(1_000_000_000_000, { error: tokensHint });
const money = z
  .number({ error: moneyHint })
  .positive({ error: moneyHint })
  .max(1_000_000, { error: moneyHint });

const amounts = <T extends z.ZodType>(amount: T, what: string) =>
  strictMap(
    {
      session: amount.optional().describe(`${what} of one session, all in all.`),
      day: amount.optional().describe(`${what} of all sessions of a principal, in each day of UTC.`),
    },
    { hint: amountsHint, synonyms: { perSession: 'session', perDay: 'day', daily: 'day' } },
  );

/** A rule about calls of models. */
export const llmSchema = strictMap(
  {
    api: z.enum(llmApis, { error: apiHint }).describe('The API whose requests and responses are read.'),
    models: oneOrMany(text(modelHint), modelHint)
      .optional()
      .describe('Models that may be called, or in a rule that denies: may not. All of them by default.'),
    streaming: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('true: streams alone; false: none. Both by default.'),
    tools: oneOrMany(text(toolHint), toolHint)
      .optional()
      .describe(
        'Tools that a model may be offered, by name; those of the service by type. All of them by default.',
      ),
    outputTokens: tokens
      .optional()
      .describe('The most that a call may ask the model to write. Set in requests that say no such cap.'),
    unbounded: oneOrMany(text(unboundedHint), unboundedHint)
      .optional()
      .describe(
        'What goes on under a budget though nothing bounds what it costs, such as service_tier or image_url.',
      ),
    budget: strictMap(
      {
        name: z
          .string({ error: nameHint })
          .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, { error: nameHint })
          .optional()
          .describe(
            'What it is counted in: rules of the same name share it. The name of the rule by default.',
          ),
        tokens: amounts(tokens, 'Tokens').optional().describe('How many tokens, read and written.'),
        money: amounts(money, 'US dollars')
          .optional()
          .describe('How many US dollars, by the prices of the gateway.'),
      },
      { hint: 'write budget: { tokens: { session: 500000 } }', synonyms: { cost: 'money', usd: 'money' } },
    )
      .optional()
      .describe('How much calls may take. Before each call the most that it can take is set aside.'),
  },
  {
    hint: 'write llm as a map, such as { api: anthropic, models: "claude-*" }',
    synonyms: {
      model: 'models',
      stream: 'streaming',
      tool: 'tools',
      max_tokens: 'outputTokens',
      maxTokens: 'outputTokens',
      maxOutputTokens: 'outputTokens',
      limit: 'budget',
    },
  },
);
