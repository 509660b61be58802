// Every operation of the admin API, in one table: validation, OpenAPI document, tests and callers are made from it.

import { z } from 'zod';
import { auditEventSchema } from '../audit-event.ts';
import * as access from './access-schemas.ts';
import { packageRoutes } from './package-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { type AdminRoute, pageOf } from './route.ts';
import * as schemas from './schemas.ts';
import * as sessionTokens from './session-token-schemas.ts';
import { useRoutes } from './use-routes.ts';

const text = z.string();
const exchangePageSchema = z
  .object({
    items: z.array(auditEventSchema).readonly(),
    next: z.string().optional().describe('Cursor of the next page; absent where there is none.'),
    searchedTo: z.iso
      .datetime({ precision: 3 })
      .optional()
      .describe('Up to which time was looked. More may be found behind `next`, though no item was.'),
  })
  .readonly();

const openPageSchema = z
  .object({
    items: z.array(auditEventSchema).readonly(),
    next: z.string().optional().describe('Cursor of the next page; absent where there is none.'),
    now: z.iso.datetime({ precision: 3 }).describe('The clock of the gateway.'),
  })
  .readonly();

const listCursor = z
  .string()
  .max(200)
  .optional()
  .describe('`next` of the page before, or a time: what is older.');
const sessionPageQuery = z.strictObject({
  all: z.enum(['true', 'false']).optional().describe('Those that are over too.'),
  before: listCursor,
});
const accessPageQuery = z.strictObject({
  state: z.enum(access.accessStates).optional(),
  session: z.string().max(200).optional(),
  before: listCursor,
});

export const adminRoutes = {
  who: {
    method: 'GET',
    path: '/v1/who',
    role: 'viewer',
    summary: 'Who is asking, and what they may do.',
    output: schemas.whoSchema,
  },
  logIn: {
    method: 'POST',
    path: '/v1/log-in',
    role: 'viewer',
    isOpen: true,
    summary: 'Exchanges the secret of the link of `run --ui` for a token, once.',
    body: schemas.logInSchema,
    output: schemas.loggedInSchema,
  },
  logInWays: {
    method: 'GET',
    path: '/v1/log-in',
    role: 'viewer',
    isOpen: true,
    summary: 'How one can log in here.',
    output: schemas.logInWaysSchema,
  },
  logOut: {
    method: 'POST',
    path: '/v1/log-out',
    role: 'viewer',
    summary: 'Ends the session by log-in of who asks. A token stays good.',
    output: schemas.loggedOutSchema,
  },
  health: {
    method: 'GET',
    path: '/v1/health',
    role: 'viewer',
    summary: 'How the gateway is.',
    output: schemas.healthSchema,
  },
  changes: {
    method: 'GET',
    path: '/v1/changes',
    role: 'viewer',
    summary: 'Which gateways have taken all that was revoked, granted and published until now.',
    query: schemas.changesQuerySchema,
    output: schemas.changesSchema,
  },
  exchanges: {
    method: 'GET',
    path: '/v1/exchanges',
    role: 'viewer',
    summary: 'Events of the audit, the newest first.',
    query: schemas.eventQuerySchema,
    output: exchangePageSchema,
  },
  follow: {
    method: 'GET',
    path: '/v1/exchanges/follow',
    role: 'viewer',
    summary: 'Events as they are stored.',
    query: schemas.followQuerySchema,
    output: auditEventSchema,
    form: 'stream',
  },
  exportEvents: {
    method: 'GET',
    path: '/v1/exchanges/export',
    role: 'viewer',
    summary:
      'Events in the order of their time, the oldest first. A page may have none and still say where to go on.',
    query: schemas.exportQuerySchema,
    output: pageOf(auditEventSchema),
  },
  verifyAudit: {
    method: 'POST',
    path: '/v1/audit/verify',
    role: 'viewer',
    asks: true,
    ofAll: true,
    summary:
      'Whether anybody changed what was stored, by the keys of this gateway: how far it is, each second, and the report at the end.',
    body: schemas.verifySchema,
    output: schemas.verifyProgressSchema,
    form: 'stream',
  },
  openExchanges: {
    method: 'GET',
    path: '/v1/exchanges/open',
    role: 'viewer',
    summary:
      'Requests, WebSockets and raw streams that run now, over all gateways, the oldest first: what was known of each shortly after it began. Each is an event with the verdict `unknown`; its own event comes when it ends.',
    query: schemas.openQuerySchema,
    output: openPageSchema,
  },
  exchange: {
    method: 'GET',
    path: '/v1/exchanges/{id}',
    role: 'viewer',
    summary: 'One event, by its id.',
    output: auditEventSchema,
  },
  exchangeBodies: {
    method: 'GET',
    path: '/v1/exchanges/{id}/bodies',
    role: 'operator',
    summary:
      'What a rule had kept of the bodies of an exchange, or the recording of a shell. Who looks is written into the audit.',
    query: schemas.bodiesQuerySchema,
    output: schemas.bodiesSchema,
  },
  sessions: {
    method: 'GET',
    path: '/v1/sessions',
    role: 'viewer',
    summary: 'Sessions, the newest first.',
    query: sessionPageQuery,
    output: pageOf(schemas.sessionSchema),
  },
  session: {
    method: 'GET',
    path: '/v1/sessions/{id}',
    role: 'viewer',
    summary: 'One session.',
    output: schemas.sessionSchema,
  },
  sessionLeases: {
    method: 'GET',
    path: '/v1/sessions/{id}/leases',
    role: 'viewer',
    summary:
      'Leases that the session has of credentials with `perSession`, with those that are still to be given back. What they are worth is in no response. A session that another one made uses those of the first one above it.',
    output: schemas.leasesSchema,
  },
  revokeSession: {
    method: 'POST',
    path: '/v1/sessions/{id}/revoke',
    role: 'operator',
    summary: 'Ends a session and all that runs in it. It cannot be undone.',
    body: schemas.revokeSchema,
    output: schemas.sessionSchema,
  },
  issueSessionToken: {
    method: 'POST',
    path: '/v1/session-tokens',
    role: 'operator',
    ofAll: true,
    summary:
      'Makes a token that starts one session, or one for clients without an agent, where `admin.sessionTokens` lets this role.',
    body: sessionTokens.sessionTokenSchema,
    output: sessionTokens.issuedSessionTokenSchema,
    status: 201,
  },
  withdrawSessionToken: {
    method: 'POST',
    path: '/v1/session-tokens/{id}/withdraw',
    role: 'operator',
    ofAll: true,
    summary:
      'Takes back a token that started no session yet, and a proxy token with its session; who may make one may take one back.',
    body: schemas.revokeSchema,
    output: sessionTokens.withdrawnSessionTokenSchema,
  },
  accessRequests: {
    method: 'GET',
    path: '/v1/access',
    role: 'viewer',
    summary: 'Requests for access, the newest first.',
    query: accessPageQuery,
    output: pageOf(access.accessSchema),
  },
  accessRequest: {
    method: 'GET',
    path: '/v1/access/{id}',
    role: 'viewer',
    summary: 'One request for access.',
    output: access.accessSchema,
  },
  grantAccess: {
    method: 'POST',
    path: '/v1/access/{id}/grant',
    role: 'approver',
    summary: 'Grants what was asked for, for a time.',
    body: access.grantSchema,
    output: access.accessSchema,
  },
  denyAccess: {
    method: 'POST',
    path: '/v1/access/{id}/deny',
    role: 'approver',
    summary: 'Denies what was asked for.',
    body: access.noteSchema,
    output: access.accessSchema,
  },
  revokeAccess: {
    method: 'POST',
    path: '/v1/access/{id}/revoke',
    role: 'approver',
    summary: 'Takes a grant back.',
    body: access.noteSchema,
    output: access.accessSchema,
  },
  decideQuestion: {
    method: 'POST',
    path: '/v1/access/{id}/decide',
    role: 'approver',
    summary: 'Says what becomes of a question; a request for access is granted or denied instead.',
    body: access.questionDecisionSchema,
    output: access.accessSchema,
  },
  ...policyRoutes,
  ...useRoutes,
  ...packageRoutes,
  credentials: {
    method: 'GET',
    path: '/v1/credentials',
    role: 'viewer',
    summary: 'The credentials of the configuration by name. Never a value.',
    ofAll: true,
    output: pageOf(schemas.credentialSchema),
  },
  limits: {
    method: 'GET',
    path: '/v1/limits',
    role: 'viewer',
    summary: 'Every limit, and how often it was reached since the start.',
    ofAll: true,
    output: pageOf(schemas.limitSchema),
  },
  metrics: {
    method: 'GET',
    path: '/v1/metrics',
    role: 'viewer',
    summary: 'Metrics in the text format of Prometheus.',
    ofAll: true,
    output: text,
    form: 'text',
  },
  tokens: {
    method: 'GET',
    path: '/v1/tokens',
    role: 'administrator',
    summary: 'The tokens for this API. Never a value.',
    output: pageOf(schemas.tokenSchema),
  },
  makeToken: {
    method: 'POST',
    path: '/v1/tokens',
    role: 'administrator',
    summary: 'Makes a token for this API.',
    body: schemas.newTokenSchema,
    output: schemas.madeTokenSchema,
    status: 201,
  },
  revokeToken: {
    method: 'DELETE',
    path: '/v1/tokens/{id}',
    role: 'administrator',
    summary: 'Ends a token at once.',
    output: schemas.tokenSchema,
  },
  openapi: {
    method: 'GET',
    path: '/v1/openapi.json',
    role: 'viewer',
    summary: 'This API as OpenAPI 3.1.',
    output: z.record(z.string(), z.unknown()),
  },
} as const satisfies Readonly<Record<string, AdminRoute>>;

export type AdminOperation = keyof typeof adminRoutes;
export type AdminRoutes = typeof adminRoutes;
/** Those that go on: each gives events until it ends. */
export type StreamingOperation = {
  [Operation in AdminOperation]: AdminRoutes[Operation] extends { readonly form: 'stream' }
    ? Operation
    : never;
}[AdminOperation];

export function isStreaming(operation: AdminOperation): operation is StreamingOperation {
  const route: AdminRoute = adminRoutes[operation];
  return route.form === 'stream';
}

/** What a part of an operation is in code; an operation without that part has an empty object. */
export type Of<Operation extends AdminOperation, Part extends 'query' | 'body'> =
  AdminRoutes[Operation] extends Readonly<Record<Part, z.ZodType>>
    ? z.output<AdminRoutes[Operation][Part]>
    : Readonly<Record<string, never>>;
export type OutputOf<Operation extends AdminOperation> = z.input<AdminRoutes[Operation]['output']>;
/** What is sent as its body. */
export type BodyOf<Operation extends AdminOperation> =
  AdminRoutes[Operation] extends Readonly<Record<'body', z.ZodType>>
    ? z.input<AdminRoutes[Operation]['body']>
    : never;
