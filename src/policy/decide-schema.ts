// `decide` of a rule as it is written.

import { z } from 'zod';
import { defaultLimits } from '../protocol/limits.ts';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const byHint = "write the name of a decider of the gateway's configuration, such as by: opa";
const { deciderTimeoutMsMax, deciderCacheMsMax } = defaultLimits;
const timeoutHint = `write milliseconds from 1 to ${String(deciderTimeoutMsMax)}`;
const cacheHint = `write milliseconds from 1 to ${String(deciderCacheMsMax)}, or leave it out`;
const fieldHint = 'write the name of a request field such as x-team, or a list of them';
const fieldName = text(fieldHint).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, { error: fieldHint });
const onErrorHint =
  'write deny: a decider that cannot be asked allows nothing; a rule on trial has mode: observe';
const bodyHint = 'write unseen, or leave it out: the decider gets the whole body';
const elsewhere = "deciders stand in the gateway's configuration: write by: with the name of one there";

export const decideSchema = strictMap(
  {
    by: text(byHint).describe("The decider's name in the gateway's configuration."),
    timeoutMs: z
      .int({ error: timeoutHint })
      .min(1, { error: timeoutHint })
      .max(deciderTimeoutMsMax, { error: timeoutHint })
      .optional()
      .describe('How long it may take, in all. 1000 by default.'),
    onError: z
      .literal('deny', { error: onErrorHint })
      .optional()
      .describe('What is said where it cannot be asked, is late, or says nothing: deny is all there is.'),
    body: z
      .literal('unseen', { error: bodyHint })
      .optional()
      .describe(
        'unseen: the decider gets no body, so that streams, large bodies and WebSockets are let through. By default it gets the whole body, and a request is refused whose body cannot be held.',
      ),
    cacheMs: z
      .int({ error: cacheHint })
      .min(1, { error: cacheHint })
      .max(deciderCacheMsMax, { error: cacheHint })
      .optional()
      .describe(
        'How long what it said is used again for the same question; shorter where it says so itself. Never by default.',
      ),
    mayAdd: oneOrMany(fieldName, fieldHint)
      .optional()
      .describe('Request fields that it may set. What the workload sends of them is removed.'),
    mayRemove: oneOrMany(fieldName, fieldHint).optional().describe('Request fields that it may take out.'),
  },
  {
    hint: 'write decide: { by: NAME }',
    synonyms: {
      decider: 'by',
      name: 'by',
      timeout: 'timeoutMs',
      cache: 'cacheMs',
      cacheSeconds: 'cacheMs',
      add: 'mayAdd',
      remove: 'mayRemove',
    },
    refused: new Map(['url', 'address', 'endpoint', 'kind', 'ca', 'source'].map((key) => [key, elsewhere])),
  },
);
