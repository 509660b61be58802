// Samples of an entry of the catalogue, each asked as a gateway is asked, with less access and with more.

import { Buffer } from 'node:buffer';
import { type CatalogAccess, catalogAccess } from '../../policy/catalog/use-schema.ts';
import type { AccessRequest, Decision } from '../../policy/decision.ts';
import { parsePolicy } from '../../policy/parse-policy.ts';
import type { CatalogEntry } from '../../policy/policy-schema.ts';
import { formatProblem } from '../../policy/problem.ts';
import { asList } from '../../policy/schema-parts.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { askedRequest, judgedAccess, withAskedBody } from './asked-access.ts';

/** The name that stands for every tenant. */
const sampleTenant = 'acme';

export interface PlayedSample {
  readonly request: string;
  readonly needs: string;
  /** What is wrong; undefined: it is let through with what it needs, and with no less. */
  readonly problem: string | undefined;
}

type Sample = NonNullable<CatalogEntry['samples']>[number];

/** @throws ProxyError config_invalid where rules of the entry cannot be compiled. `sources`: the files that have it, or none. */
export async function playSamples(
  name: string,
  entry: CatalogEntry,
  sources: readonly YamlSource[] = [],
): Promise<readonly PlayedSample[]> {
  const steps = catalogAccess.map((_, index) => {
    const access = catalogAccess.slice(0, index + 1);
    return { access, decide: deciderOf({ name, entry, sources, access }) };
  });
  const played: PlayedSample[] = [];
  for (const sample of entry.samples ?? []) {
    const found = await Promise.all(
      steps.map(async ({ access, decide }) =>
        decide === undefined ? undefined : problemOf(sample, access, await outcomeOf(sample, decide)),
      ),
    );
    const { request, needs } = sample;
    played.push({ request, needs, problem: found.find((one) => one !== undefined) });
  }
  return played;
}

interface Asked {
  readonly name: string;
  readonly entry: CatalogEntry;
  readonly sources: readonly YamlSource[];
  readonly access: readonly CatalogAccess[];
}

type Decide = (access: AccessRequest) => Decision;

/** With this access alone; undefined where the entry has nothing for it. */
function deciderOf({ name, entry, sources, access }: Asked): Decide | undefined {
  if (!entry.parts.some((part) => access.includes(part.access))) return undefined;
  const forms = Object.keys(entry.credentials ?? {});
  const catalog = {
    access,
    ...(entry.tenant === undefined ? {} : { tenant: sampleTenant }),
    ...(forms.length === 0 ? {} : { inject: Object.fromEntries(forms.map((form) => [form, form])) }),
  };
  const git = entry.parts.some((part) => part.git !== undefined)
    ? { repository: `${sampleTenant}/**` }
    : undefined;
  const rule = { name: 'sample', include: `catalog/${name}`, catalog, git };
  const text = JSON.stringify({ version: 1, rules: [rule] });
  const entries = sources.map(({ file, text: written }) => ({ file, text: written }));
  const tools = entry.parts.flatMap(({ discover }) => asList(discover));
  const discovered = new Map(tools.map((tool) => [tool, [`${tool}.registry.example`]]));
  const parsed = parsePolicy([...entries, { file: 'sample', text }], { discovered });
  if ('problems' in parsed)
    throw new ProxyError('config_invalid', parsed.problems.map(formatProblem).join('\n'));
  const principal = { id: 'sample', sessionId: 'sample', claims: {}, posture: [] };
  return (asked) => parsed.policy.decide(principal, asked, Date.now());
}

async function outcomeOf(sample: Sample, decide: Decide): Promise<Decision | string> {
  const [method = '', url = ''] = sample.request.replaceAll('{tenant}', sampleTenant).split(' ');
  try {
    const fields = sample.type === undefined ? [] : ['Content-Type', sample.type];
    const head = askedRequest(method, url, fields);
    const body = Buffer.from(sample.body ?? '');
    const request = await withAskedBody(head, body, body.length);
    return decide(judgedAccess(request, decide));
  } catch (error) {
    return asProxyError(error).message;
  }
}

function problemOf(
  { needs, with: form }: Sample,
  access: readonly CatalogAccess[],
  decision: Decision | string,
): string | undefined {
  const given = access.join(', ');
  const isWanted = needs !== 'none' && access.includes(needs);
  if (typeof decision === 'string') return isWanted ? `refused with ${given}: ${decision}` : undefined;
  if (decision.effect === 'deny')
    return isWanted ? `denied with ${given}, by ${decision.rule.name}` : undefined;
  if (!isWanted) return `let through with ${given}, by ${decision.rule.name}`;
  const put = decision.inject.map(({ credential }) => credential);
  return put.join() === (form ?? '')
    ? undefined
    : `gets the credential ${put.join(', ') || 'none'}, not ${form ?? 'none'}`;
}
