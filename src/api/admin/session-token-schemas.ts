// Tokens of sessions in the admin API: issued for an agent, or for clients without one, and withdrawn.

import { z } from 'zod';
import { defaultLimits } from '../../protocol/limits.ts';
import { shownAgain, time } from './schema-fields.ts';

const claimValue = z.union([z.string().max(1000), z.number(), z.boolean()]);

export const sessionTokenSchema = z.strictObject({
  subject: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}*$/u, { error: 'write a name without control characters' })
    .describe("Whose session it is, such as the job's or the container's name."),
  claims: z
    .record(z.string().min(1).max(200), z.union([claimValue, z.array(claimValue).max(100)]))
    .optional()
    .describe('Further claims, for policies to look at.'),
  seconds: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe(
      'Within what time the session must be started, as configured by default; how long a proxy token is good, an hour by default.',
    ),
  kind: z
    .enum(['session', 'proxy'])
    .optional()
    .describe(
      '`session`, the default, for an agent; `proxy` for clients without one, which show it with each connection.',
    ),
  networks: z
    .array(z.string().max(64))
    .min(1)
    .max(defaultLimits.proxyTokenNetworksMax)
    .optional()
    .describe('Of a proxy token: the addresses that it may come from, such as `10.1.0.0/16`.'),
});

export const issuedSessionTokenSchema = z
  .object({
    token: z.string().describe(`It starts one session. ${shownAgain}`),
    id: z.string().describe('The `jti` among the claims of its session.'),
    principal: z.string().describe('Of its session.'),
    expires: time,
  })
  .readonly();

export const withdrawnSessionTokenSchema = z
  .object({
    id: z.string().describe('The `jti`.'),
    state: z
      .enum(['withdrawn', 'used'])
      .describe(
        '`used`: a session was committed by it before, and goes on until it is ended. That of a proxy token ends with it.',
      ),
    session: z
      .string()
      .optional()
      .describe('The session that used it; of a withdrawn one, that which was revoked with it.'),
  })
  .readonly();
