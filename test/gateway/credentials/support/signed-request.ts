// A request that gets one credential of a configuration, and what goes out of it.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { parseGatewayConfig } from '../../../../src/gateway/config/config.ts';
import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { CredentialSet } from '../../../../src/gateway/credentials/credential-set.ts';
import type { BodyFacts } from '../../../../src/gateway/credentials/request/body-rewrite.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import type { Limits } from '../../../../src/protocol/limits.ts';

/** The credential as a file of the configuration has it, but for its source, which is the variable KEY. */
export function credentialOf(written: object): CredentialConfig {
  const config = { credentials: { it: { source: { env: 'KEY' }, ...written } } };
  const result = parseGatewayConfig({ file: 'g', text: JSON.stringify(config) }, '/etc/gateway');
  if ('problems' in result) assert.fail(result.problems.map(({ message }) => message).join('\n'));
  return result.config.credentials['it'] ?? assert.fail('it is not there');
}

/** What is wrong with it. */
export function credentialProblems(written: object): string {
  const config = { credentials: { it: { source: { env: 'KEY' }, ...written } } };
  const result = parseGatewayConfig({ file: 'g', text: JSON.stringify(config) }, '/etc/gateway');
  return 'problems' in result ? result.problems.map(({ message }) => message).join('\n') : '';
}

export interface Asked {
  readonly line?: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly limits?: Limits;
}

export interface SentRequest {
  readonly head: RequestHead;
  readonly target: string;
  readonly body: string;
}

/** What goes out of a request that is asked for so. */
export async function sentWith(
  credential: CredentialConfig,
  secret: string,
  { line = 'POST /in/a', fields = [], body, limits = defaultLimits }: Asked = {},
): Promise<SentRequest> {
  await using set = new CredentialSet({ it: credential }, { KEY: secret }, undefined, { limits });
  const [method = '', target = ''] = line.split(' ');
  const [path = '', query] = target.split('?');
  const asked: RequestHead = {
    method,
    destination: { scheme: 'https', host: 'a.test', port: 443 },
    path,
    query: query === undefined ? '' : `?${query}`,
    headers: new HeaderList(fields),
    httpVersion: '1.1',
  };
  using released = new DisposableStack();
  const given = Readable.from(body === undefined ? [] : [Buffer.from(body)], { objectMode: false });
  const facts: BodyFacts = {
    length: undefined,
    sessionId: 's',
    isRewritten: false,
    open: () => given,
    keep: (release) => released.defer(release),
  };
  const injected = await set.inject(asked, [{ credential: 'it' }], {
    nowMs: Date.now(),
    body: body === undefined ? undefined : facts,
  });
  const { head } = injected;
  const out = injected.body === undefined ? given : injected.body.rewrite(given);
  return { head, target: head.path + head.query, body: await text(out) };
}
