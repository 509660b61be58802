// `upstreamproxy packages explain`: whether a version of a package is let through, and by which rule.

import { versionText } from '../../understand/packages/package-request.ts';
import { loadGatewayConfig } from '../../gateway/config/config.ts';
import { readAdvisoryFile } from '../../gateway/packages/advisories/advisory-file.ts';
import { type ExplainedVersion, explainPackage } from '../../gateway/packages/explain-package.ts';
import { parseRegistryRoot } from '../../policy/compile-packages.ts';
import type { Principal } from '../../policy/decision.ts';
import { effectWord } from '../../policy/explain.ts';
import { parseRuleTime } from '../../policy/rule-times.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { packagesDefinition } from '../commands/packages-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine, textTable } from '../terminal/text-table.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { readAskedBody } from './asked-body.ts';
import { readClaims } from './claims-file.ts';
import { postureOption } from './explain-access.ts';
import { compiled } from './judging-here.ts';

type ExplainInput = Input<(typeof packagesDefinition)['actions'][1]>;

export async function explainPackageCommand({
  options,
  arguments: { PACKAGE: written },
}: ExplainInput): Promise<number> {
  const { registry, index, policy: files, config, name, metadata: file, published, json } = options;
  if (registry === undefined)
    throw new ProxyError('usage', 'which registry? name how it speaks by --registry npm');
  if (file !== undefined && published !== undefined)
    throw new ProxyError('usage', 'give --metadata or --published, not both');
  const root = index === undefined ? undefined : parseRegistryRoot(index);
  if (index !== undefined && root === undefined)
    throw new ProxyError('usage', '--index is no root of a registry; write https://HOST/PATH/');
  const publishedMs = published === undefined ? undefined : parseRuleTime(published);
  if (published !== undefined && publishedMs === undefined)
    throw new ProxyError('usage', '--published takes a time with its zone, such as 2030-01-31T12:00:00Z');
  const posture = postureOption(options.posture);
  const claims = await readClaims(options.claims);
  const set = config === undefined ? undefined : await loadGatewayConfig(config);
  const { limits = defaultLimits } = set ?? {};
  const advisories = set?.advisories === undefined ? undefined : await readAdvisoryFile(set.advisories.index);
  const metadata = file === undefined ? undefined : await readMetadata(file, limits);
  const policy = await compiled(
    files === undefined ? { kind: 'in-force' } : { kind: 'files', paths: files },
    {
      config,
      name,
    },
  );
  const principal: Principal = { id: 'explain', sessionId: 'explain', claims, posture };
  const asked = { registry, written, root, metadata, publishedMs, limits, advisories };
  const found = explainPackage(policy, asked, { principal, nowMs: Date.now() });
  const isList = metadata !== undefined && written.lastIndexOf('@') <= 0;
  if (json) process.stdout.write(found.map((one) => jsonLine(machineOf(one))).join(''));
  else
    process.stdout.write(
      isList ? listText(found) : found.map((one) => explainedText(registry, one)).join(''),
    );
  return found.every(({ isAllowed }) => isAllowed) ? 0 : errorTable.policy_denied.exit;
}

async function readMetadata(file: string, { packageMetadataBytesMax: max }: Limits): Promise<Uint8Array> {
  return await readAskedBody(file, { what: 'the metadata', limit: 'packageMetadataBytesMax', max });
}

const isoTime = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

const titleOf = (one: ExplainedVersion): string =>
  `${versionText(one)}${one.file === undefined ? '' : ` (${one.file})`}`;

/** The words of `policy explain`, without the request that stands for it. */
function explainedText(registry: string, one: ExplainedVersion): string {
  const { at, publishedMs, isAgeAwaited, explanation } = one;
  const [, ...lines] = explanation.text.split('\n');
  const own = [`${effectWord(explanation.decision)} ${titleOf(one)} of ${registry} at ${at}`];
  const published = isoTime(publishedMs);
  if (published !== undefined) own.push(`  published: ${published}`);
  if (isAgeAwaited)
    own.push('  its age decides, and is not known here: give --metadata FILE, or --published TIME');
  // Versions and files are the words of a registry.
  return [...own, ...lines].map((line) => harmlessText(line)).join('\n');
}

function listText(found: readonly ExplainedVersion[]): string {
  const rows = found.map((one) => {
    const { decision } = one.explanation;
    const why = decision.effect === 'deny' ? decision.reason : `The rule ${decision.rule.name} allows it.`;
    return [
      effectWord(decision),
      one.file ?? one.version ?? '-',
      isoTime(one.publishedMs) ?? '-',
      harmlessText(why),
    ];
  });
  return textTable([['decision', 'version', 'published', 'why'], ...rows], tableStyle({ hasTitle: true }));
}

function machineOf({ explanation, publishedMs, isAllowed, ...one }: ExplainedVersion): unknown {
  const { decision, steps } = explanation;
  return { ...one, published: isoTime(publishedMs), isAllowed, decision, steps };
}
