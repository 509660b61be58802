// `upstreamproxy policy explain sign`: whether a commit or a tag would be signed, by which rule and key.

import { readGitObject } from '../../understand/git-object.ts';
import { HeaderList } from '../../http/header-list.ts';
import type { RequestAccess } from '../../policy/decision.ts';
import { explain } from '../../policy/explain.ts';
import { accessHost, signPath } from '../../policy/granted-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { readAskedBody } from './asked-body.ts';
import { readClaims } from './claims-file.ts';
import { postureOption } from './explain-access.ts';
import { compiled } from './judging-here.ts';

type ExplainInput = Input<(typeof policyDefinition)['actions'][1]>;

/** Of files of policies, or of the policy of a configuration, here. @throws ProxyError object_unsignable as the gateway would */
export async function explainSign({
  options,
  arguments: { URL: file, REF: more },
}: ExplainInput): Promise<number> {
  const { policy: files, config } = options;
  if (more.length > 0 || (files === undefined && config === undefined))
    throw new ProxyError('usage', 'name one object: upstreamproxy policy explain sign FILE --policy FILE');
  for (const name of ['header', 'push-option', 'body'] as const)
    if (options[name] !== undefined)
      throw new ProxyError('usage', `what is signed is not a request; leave --${name} out`);
  const { signedObjectBytesMax: max } = defaultLimits;
  const object = readGitObject(
    await readAskedBody(file, { what: 'the object', limit: 'signedObjectBytesMax', max }),
  );
  if (typeof object === 'string')
    throw new ProxyError('object_unsignable', `no policy has this signed: ${object}`);
  const policy = await compiled(
    files === undefined ? { kind: 'in-force' } : { kind: 'files', paths: files },
    { config },
  );
  const principal = {
    id: 'explain',
    sessionId: 'explain',
    claims: await readClaims(options.claims),
    posture: postureOption(options.posture),
  };
  const access: RequestAccess = {
    depth: 'request',
    destination: { scheme: 'https', host: accessHost, port: 443 },
    method: 'POST',
    path: signPath,
    query: '',
    headers: new HeaderList(),
    signs: object,
  };
  const { decision, steps, text } = explain(policy, { principal, access, nowMs: Date.now() });
  if (options.json) process.stdout.write(jsonLine({ object, decision, steps }));
  else process.stdout.write(text.replaceAll(/[^\n]+/g, harmlessText));
  return decision.effect === 'allow' ? 0 : errorTable.policy_denied.exit;
}
