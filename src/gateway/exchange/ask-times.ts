// What a registry says of all versions of a package, asked for by the gateway itself.

import { readGemVersions } from '../../understand/packages/gem-versions.ts';
import { CollectOctets } from '../packages/collect-octets.ts';
import { CollectTimes, parsedFactor, type ToldList } from '../packages/collect-times.ts';
import { gemVersionsPath } from '../packages/metadata-address.ts';
import type { ToldVersions, VersionTimes } from '../packages/publish-times.ts';
import {
  type Asking,
  askRegistry,
  type AskScene,
  type MakeCollector,
  type Question,
} from './ask-registry.ts';
import { CachedQuestion } from './cached-question.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { accountOf } from './spending-accounts.ts';

export async function askTimes(
  question: Question,
  asking: Asking,
  parts: ExchangeParts,
): Promise<ToldVersions | undefined> {
  const { asked } = question;
  const cached = new CachedQuestion(question, asking.principal, parts);
  const collect: MakeCollector<ToldList> = (keep, spend) =>
    cached.reads(new CollectTimes(asked, parts.limits, keep, spend));
  const list = await askRegistry({ ...question, carrier: cached }, asking, parts, collect);
  const told = list && { ...list, toldMs: cached.toldMs };
  if (told === undefined || !isOfGems(question)) return told;
  return await toldOfGems(question, told, { asking, parts, isOfAll: true });
}

/** The index of RubyGems says of few files when they came out, and a rule wants to know it. */
const isOfGems = ({ asked, decision }: Question): boolean =>
  asked.registry === 'rubygems' && (decision.package?.minAgeMs ?? 0) > 0;

/**
 * The same with the times that are said beside the index; what nobody says counts from when it was seen. `isOfAll`: everybody is told of these
 * versions.
 */
export async function toldOfGems(
  question: Question,
  { versions = [], times, digests }: ToldList,
  { asking, parts, isOfAll }: Pick<AskScene, 'asking' | 'parts'> & { readonly isOfAll: boolean },
): Promise<ToldVersions | undefined> {
  const { asked, head } = question;
  const files = versions.map(({ version, file = version }) => file);
  const isTold = (known: VersionTimes): boolean => files.every((file) => known.has(file));
  if (isTold(times)) return { times, digests };
  const { packageMetadataBytesMax: bytesMax, packageVersionsMax } = parts.limits;
  const bounds = { limit: 'packageMetadataBytesMax', bytesMax, factor: parsedFactor } as const;
  const beside: Question = { ...question, head: { ...head, path: gemVersionsPath(asked) } };
  const response = await askRegistry(
    beside,
    asking,
    parts,
    (keep, spend) => new CollectOctets(keep, spend, bounds),
  );
  // It may say it the next time.
  if (response === undefined || response.status >= 500 || response.status === 429) return undefined;
  const said =
    response.status === 200 ? readGemVersions(response.octets, packageVersionsMax)?.times : undefined;
  const known = new Map([...(said ?? []), ...times]);
  const unsaid = files.filter((file) => !known.has(file));
  const { seenVersions } = parts;
  const items = unsaid.map((item) => ({ item }));
  const seen = isOfAll
    ? await seenVersions.see(asked, items, accountOf(asking.principal))
    : await seenVersions.find(asked, unsaid);
  for (const [file, { firstMs }] of seen) known.set(file, firstMs);
  return { times: known, digests };
}
