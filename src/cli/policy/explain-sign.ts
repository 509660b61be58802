// `upstreamproxy policy explain sign`: whether a commit or a tag would be signed, by which rule and key.

import { accessHost, signPath } from '../../policy/granted-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { readGitObject } from '../../understand/git-object.ts';
import type { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { readAskedBody } from './asked-body.ts';
import { readClaims } from './claims-file.ts';
import { postureOption } from './explain-access.ts';
import { openJudging } from './open-judging.ts';

type ExplainInput = Input<(typeof policyDefinition)['actions'][1]>;

/** Of files of policies, or of the policy of a gateway here or elsewhere. @throws ProxyError object_unsignable as the gateway would */
export async function explainSign({
  options,
  arguments: { URL: file, REF: more },
}: ExplainInput): Promise<number> {
  const { policy: files, config } = options;
  if (more.length > 0)
    throw new ProxyError('usage', 'name one object: upstreamproxy policy explain sign FILE --policy FILE');
  for (const name of ['header', 'push-option', 'body'] as const)
    if (options[name] !== undefined)
      throw new ProxyError('usage', `what is signed is not a request; leave --${name} out`);
  const { signedObjectBytesMax: max } = defaultLimits;
  const body = await readAskedBody(file, { what: 'the object', limit: 'signedObjectBytesMax', max });
  const object = readGitObject(body);
  // Told here, whoever would be asked about it.
  if (typeof object === 'string')
    throw new ProxyError('object_unsignable', `no policy has this signed: ${object}`);
  const asker = { claims: await readClaims(options.claims), posture: postureOption(options.posture) };
  await using backend = await openJudging(options, files !== undefined || config !== undefined);
  const [explained] = await backend.explain(
    [{ method: 'POST', url: `https://${accessHost}${signPath}`, body }],
    files === undefined ? { kind: 'in-force' } : { kind: 'files', paths: files },
    asker,
  );
  if (explained === undefined) throw new ProxyError('internal', 'one question has one response');
  if (options.json) process.stdout.write(jsonLine({ object, ...explained.machine }));
  else process.stdout.write(explained.text.replaceAll(/[^\n]+/g, harmlessText));
  return explained.isAllowed ? 0 : errorTable.policy_denied.exit;
}
