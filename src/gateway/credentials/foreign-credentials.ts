// What a client could be somebody else with, beside a credential that is injected: an upload to an account of its own
// would leave by a rule that was meant for ours.

import { cgiName } from '../../http/header-list.ts';
import type { RequestHead } from '../../http/message-head.ts';
import { foreignDefaults } from './credential-kinds.ts';
import type { CredentialConfig } from './credential-kinds.ts';
import { withoutParameter } from '../../http/query-parameter.ts';

/** Fields, in lower case, and parameters of the query that are taken off. */
export interface ForeignCredentials {
  readonly headers: readonly string[];
  readonly parameters: readonly string[];
}

/** Fields and parameters that have no other use; `key`, `token` and the like have, so those are the operator's to name. */
const usual: ForeignCredentials = {
  headers: [
    'authorization',
    'cookie',
    'x-api-key',
    'api-key',
    'x-goog-api-key',
    'x-auth-token',
    'x-access-token',
    'private-token',
    'job-token',
    'deploy-token',
    'x-vault-token',
    'x-auth-key',
    'ocp-apim-subscription-key',
  ],
  parameters: ['access_token', 'api_key', 'apikey', 'private_token', 'job_token', 'subscription-key'],
};
const none: ForeignCredentials = { headers: [], parameters: [] };

/** What is taken off requests that get the credentials: what each says, else the usual. */
export function foreignCredentials(configs: readonly CredentialConfig[]): ForeignCredentials {
  const defaults = configs.map(foreignDefaults);
  const usualHere = defaults.some(({ what }) => what === 'none-beside-it') ? none : usual;
  const all = configs.map(({ strip }, i): ForeignCredentials => {
    const { headers, parameters } = defaults[i]?.what === 'usual' ? usualHere : none;
    return {
      headers: strip?.headers?.map((name) => name.toLowerCase()) ?? headers,
      parameters: strip?.parameters ?? parameters,
    };
  });
  const stillRead = new Set(defaults.map(({ reads }) => reads));
  return {
    headers: unique(all.flatMap(({ headers }) => headers)).filter((name) => !stillRead.has(name)),
    parameters: unique(all.flatMap(({ parameters }) => parameters)),
  };
}

export interface StrippedRequest {
  readonly head: RequestHead;
  /** Names of what was there. */
  readonly stripped: readonly string[];
}

export function withoutForeign(head: RequestHead, foreign: ForeignCredentials): StrippedRequest {
  const there = new Set([...head.headers].map(([name]) => cgiName(name)));
  const stripped = foreign.headers.filter((name) => there.has(cgiName(name)));
  let { query } = head;
  for (const name of foreign.parameters) {
    const rest = withoutParameter(query, name);
    if (rest !== query) stripped.push(`?${name}`);
    query = rest;
  }
  if (stripped.length === 0) return { head, stripped };
  return { head: { ...head, query, headers: head.headers.withoutAlike(...foreign.headers) }, stripped };
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
