// `upstreamproxy token issue`: a session token or a proxy token, signed by the gateway's own key.

import { credentialsClaim, credentialsOf } from '../../gateway/sessions/credentials-claim.ts';
import {
  networksClaim,
  networksOf,
  proxyAudience,
  proxyTokenType,
} from '../../gateway/sessions/proxy-token.ts';
import { issueSessionToken } from '../../gateway/sessions/token-issuer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { tokenDefinition } from '../commands/token-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';
import { placesOfConfig } from './identity-access.ts';
import { proxyEnvironment } from './proxy-environment.ts';
import { writePrivateFile } from '../../system/private-file.ts';

/** Of a proxy token, which is a secret that the workload can read. */
const proxyLifetimeMs = 3_600_000;

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
  const isProxy = values.kind === 'proxy';
  if (isProxy && values.ttl !== undefined)
    throw new ProxyError('usage', 'a proxy token has --lifetime, not --ttl: it is good until its end');
  for (const name of ['networks', 'lifetime', 'env', 'ca-file'] as const)
    if (!isProxy && values[name] !== undefined)
      throw new ProxyError('usage', `--${name} is of proxy tokens; write --kind proxy with it`);
  if (values['ca-file'] !== undefined && values.env === undefined)
    throw new ProxyError('usage', '--ca-file goes with --env');
  const config = await gatewayOfOptions(values);
  const { issuer, audience } = config.tokens;
  const networks = networksOf(values.networks ?? []);
  const text = issueSessionToken({
    key: await (await placesOfConfig(config)).signingKey.open(),
    issuer,
    audience: isProxy ? proxyAudience(audience) : audience,
    subject: values.subject,
    claims: {
      ...readClaims(values.claim ?? []),
      ...(networks.length === 0 ? {} : { [networksClaim]: networks }),
      ...(values.credentials === undefined
        ? {}
        : { [credentialsClaim]: credentialsOf(values.credentials, config.credentials) }),
    },
    ttlSeconds: isProxy
      ? (values.lifetime ?? proxyLifetimeMs) / 1000
      : (values.ttl ?? config.tokens.ttlSeconds),
    nowMs: Date.now(),
    ...(isProxy ? { typ: proxyTokenType } : {}),
  });
  const { env: url, 'ca-file': caFile } = values;
  const lines = url === undefined ? [text] : proxyEnvironment({ url, token: text, caFile });
  if (values.out === undefined) process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  else
    await writePrivateFile(values.out, url === undefined ? text : lines.map((line) => `${line}\n`).join(''));
  return 0;
}

export const tokenCommand = groupOf(tokenDefinition, { issue });
