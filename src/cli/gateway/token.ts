// `upstreamproxy token issue`: a session token, signed by the gateway's own key.

import { issueSessionToken } from '../../gateway/sessions/token-issuer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { tokenDefinition } from '../commands/token-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';
import { placesOfConfig } from './identity-access.ts';
import { writePrivateFile } from '../../system/private-file.ts';

/** `name=value` pairs; a name that stands twice becomes a list. Values are strings. */
function readClaims(pairs: readonly string[]): Readonly<Record<string, string | readonly string[]>> {
  const claims = new Map<string, string[]>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new ProxyError('usage', `--claim takes NAME=VALUE, not "${pair}"`);
    const name = pair.slice(0, equals);
    claims.set(name, [...(claims.get(name) ?? []), pair.slice(equals + 1)]);
  }
  return Object.fromEntries(
    [...claims].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}

type IssueInput = Input<(typeof tokenDefinition)['actions'][0]>;

async function issue({ options: values }: IssueInput): Promise<number> {
  const config = await gatewayOfOptions(values);
  const text = issueSessionToken({
    key: await (await placesOfConfig(config)).signingKey.open(),
    issuer: config.tokens.issuer,
    audience: config.tokens.audience,
    subject: values.subject,
    claims: readClaims(values.claim ?? []),
    ttlSeconds: values.ttl ?? config.tokens.ttlSeconds,
    nowMs: Date.now(),
  });
  if (values.out === undefined) process.stdout.write(`${text}\n`);
  else await writePrivateFile(values.out, text);
  return 0;
}

export const tokenCommand = groupOf(tokenDefinition, { issue });
