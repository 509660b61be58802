// When the version came out that a request is for.

import type { DecidedPackage, KnownPackage, RequestAccess } from '../../policy/decision.ts';
import { sourceOf } from '../../policy/known-package.ts';
import { agedAs, askedOf } from '../packages/asked-package.ts';
import { CollectOctets } from '../packages/collect-octets.ts';
import { goVersionPath } from '../packages/metadata-address.ts';
import type { AskedPackage, ToldVersions } from '../packages/publish-times.ts';
import { type Asking, askRegistry, type AskScene, questionAt, questionFor } from './ask-registry.ts';
import { askTimes } from './ask-times.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { seenImage } from './image-times.ts';
import { seenBeside } from './promised-beside.ts';
import { accountOf } from './spending-accounts.ts';

/** What is known of the version that the request is for. @throws ProxyError if the registry cannot be asked, or the store */
export async function knownPackage(
  fetched: DecidedPackage,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<KnownPackage> {
  const key = agedAs(fetched);
  const source = sourceOf(fetched, access.destination);
  if (fetched.registry === 'oci') {
    const { ms, promised } = await seenImage(fetched, key, { access, asking, parts });
    const timeOf = (one: string): number | undefined => (one === key ? ms : undefined);
    return { source, ...(promised === undefined ? {} : { promised }), timeOf };
  }
  const ms = await publishedMs(fetched, key, { access, asking, parts });
  return { source, timeOf: (one) => (one === key ? ms : undefined) };
}

async function publishedMs(
  fetched: DecidedPackage,
  key: string,
  scene: AskScene,
): Promise<number | undefined> {
  if (fetched.registry === 'go') return await moduleSeenMs(fetched, key, scene);
  if (fetched.registry === 'maven') return await seenBeside(fetched, key, scene);
  const { asking, parts } = scene;
  const question = questionFor(fetched, scene);
  // What the session may not read, nobody asks for it.
  if (question === undefined) return undefined;
  return await parts.publishTimes.timeOf(question.asked, key, () => askTimes(question, asking, parts));
}

/** Only what the registry has is seen: what comes out later was not there before. */
async function moduleSeenMs(
  fetched: DecidedPackage,
  version: string,
  scene: AskScene,
): Promise<number | undefined> {
  const own: AskedPackage = { ...askedOf(fetched, scene.access, []), part: version };
  const question = questionAt(own, goVersionPath(own), scene);
  if (question === undefined) return undefined;
  const { asked } = question;
  const { publishTimes, seenVersions } = scene.parts;
  const told = (ms: number | undefined): ToldVersions => ({
    times: new Map(ms === undefined ? [] : [[version, ms]]),
    digests: new Map(),
  });
  return await publishTimes.timeOf(asked, version, async () => {
    const known = (await seenVersions.find(asked, [version])).get(version);
    if (known !== undefined) return told(known.firstMs);
    const response = await askRegistry(
      question,
      scene.asking,
      scene.parts,
      (keep, spend) => new CollectOctets(keep, spend),
    );
    if (response === undefined) return undefined;
    if (response.status === 404 || response.status === 410) return told(undefined);
    if (response.status !== 200 || !isOfVersion(response.octets, version)) return undefined;
    const owner = accountOf(scene.asking.principal);
    return told((await seenVersions.see(asked, [{ item: version }], owner)).get(version)?.firstMs);
  });
}

/** A page that says politely that there is none tells of no version. */
function isOfVersion(octets: Uint8Array, version: string): boolean {
  try {
    const told: unknown = JSON.parse(Buffer.from(octets).toString());
    return typeof told === 'object' && told !== null && 'Version' in told && told.Version === version;
  } catch {
    return false;
  }
}
