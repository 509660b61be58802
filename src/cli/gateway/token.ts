// `upstreamproxy token issue`: a session token, signed by the gateway's own key.

import { openSigningKey } from '../../gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../gateway/sessions/token-issuer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { numberOption, parseOptions, type Command } from '../terminal/command.ts';
import { gatewayOfOptions, gatewayPlaceOptions, gatewayPlaceUsage } from './gateway-configuration.ts';
import { writePrivateFile } from '../../system/private-file.ts';

const usage = `upstreamproxy token issue --config FILE --subject NAME [options]

Makes a token that starts one session. Whoever holds it can start that session, so hand it over as a file of mode
0600 or by a descriptor, never in an argument or a variable.

${gatewayPlaceUsage}  --subject NAME        whose session it is, such as the container's name
  --claim NAME=VALUE    a further claim, for policies to look at; may be given several times
  --ttl SECONDS         until when the session must be started; default: as configured
  --out FILE            writes a new file of mode 0600 instead of printing it
`;

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

async function token(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('token', args, {
    ...gatewayPlaceOptions,
    subject: { type: 'string' },
    claim: { type: 'string', multiple: true },
    ttl: { type: 'string' },
    out: { type: 'string' },
  });
  if (positionals.join(' ') !== 'issue')
    throw new ProxyError('usage', 'what about tokens? upstreamproxy token issue');
  if (values.subject === undefined) throw new ProxyError('usage', 'whose session? --subject NAME');
  const config = await gatewayOfOptions(values);
  const bounds = { min: 1, max: 86_400, otherwise: config.tokens.ttlSeconds };
  const text = issueSessionToken({
    key: await openSigningKey(config.stateDirectory),
    issuer: config.tokens.issuer,
    audience: config.tokens.audience,
    subject: values.subject,
    claims: readClaims(values.claim ?? []),
    ttlSeconds: numberOption('ttl', values.ttl, bounds),
    nowMs: Date.now(),
  });
  if (values.out === undefined) process.stdout.write(`${text}\n`);
  else await writePrivateFile(values.out, text);
  return 0;
}

export const tokenCommand: Command = { usage, run: token };
