// `screen` of a rule as it is written.

import { z } from 'zod';
import { defaultLimits } from '../protocol/limits.ts';
import { oneOrMany, text } from './schema-parts.ts';
import { screenMarks } from './screen-rule.ts';
import { strictMap } from './yaml-source.ts';

const onHint = 'write block, annotate or alert';
const byHint = "write the name of a decider of the gateway's configuration, such as by: judge";
const { deciderTimeoutMsMax } = defaultLimits;
const timeoutHint = `write milliseconds from 1 to ${String(deciderTimeoutMsMax)}`;
const onErrorHint = 'write deny, or allow: what becomes of a response of which the decider says nothing';
const elsewhere = "deciders stand in the gateway's configuration: write by: with the name of one there";
const findHint = `write the marks to look for: ${screenMarks.join(', ')}, or a list of them`;

export const screenSchema = strictMap(
  {
    on: z
      .enum(['block', 'annotate', 'alert'], { error: onHint })
      .describe(
        'block: the response does not reach the client; annotate: it has a field that names the marks; alert: the audit alone has them. A phrase is never more than told.',
      ),
    find: oneOrMany(z.enum(screenMarks, { error: findHint }), findHint)
      .optional()
      .describe('Marks to look for; all of them by default.'),
    by: text(byHint)
      .optional()
      .describe(
        "The name of a decider in the gateway's configuration, which gets the beginning of the response and has to allow it. None by default.",
      ),
    timeoutMs: z
      .int({ error: timeoutHint })
      .min(1, { error: timeoutHint })
      .max(deciderTimeoutMsMax, { error: timeoutHint })
      .optional()
      .describe('How long it may take. 1000 by default.'),
    onError: z
      .enum(['deny', 'allow'], { error: onErrorHint })
      .optional()
      .describe(
        'What becomes of a response where the decider cannot be asked, is late, or says nothing: deny, as if it had denied, or allow. deny by default.',
      ),
  },
  {
    hint: 'write screen: { on: alert }',
    synonyms: { action: 'on', mode: 'on', marks: 'find', decider: 'by', decide: 'by', timeout: 'timeoutMs' },
    refused: new Map(['url', 'address', 'endpoint'].map((key) => [key, elsewhere])),
  },
);
