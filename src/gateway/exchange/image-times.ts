// When an image was seen first. Its digest says all that is in it, so what its manifest names was fixed by then too.

import { createHash } from 'node:crypto';
import type { DecidedPackage } from '../../policy/decision.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { manifestTypes, namedInManifest } from '../../understand/packages/image-manifest.ts';
import { digestOfAddress } from '../../understand/packages/promised-digest.ts';
import { askedOf } from '../packages/asked-package.ts';
import { CollectOctets } from '../packages/collect-octets.ts';
import { imageManifestPath } from '../packages/metadata-address.ts';
import type { AskedPackage, ToldVersions } from '../packages/publish-times.ts';
import { type AskScene, askRegistry, type Question, questionAt } from './ask-registry.ts';
import { accountOf } from './spending-accounts.ts';

interface SeenImage {
  /** Undefined: it is too young, whatever it is. */
  readonly ms?: number | undefined;
  /** What a tag stands for, as `sha256-…`. */
  readonly promised?: string;
}

/** @param reference a tag or a digest, or the digest of a layer. @throws ProxyError if the registry cannot be asked, or the store */
export async function seenImage(
  fetched: DecidedPackage,
  reference: string,
  scene: AskScene,
): Promise<SeenImage> {
  const own: AskedPackage = { ...askedOf(fetched, scene.access, []), part: reference };
  const question = questionAt(own, imageManifestPath(own), scene);
  if (question === undefined) return {};
  const { asked } = question;
  const { publishTimes } = scene.parts;
  const isPart = fetched.file !== undefined;
  if (fetched.digest === undefined && !isPart) return await seenByTag(question, scene);
  const ask = isPart ? seenPart : seeManifest;
  return { ms: await publishTimes.timeOf(asked, reference, () => ask(question, reference, scene)) };
}

/** A layer, or a configuration. Nobody who knows a digest before it is published can make it old: only manifests that exist name them. */
async function seenPart(
  { asked }: Question,
  digest: string,
  { parts: { seenVersions } }: AskScene,
): Promise<ToldVersions | undefined> {
  const known = (await seenVersions.find(asked, [digest])).get(digest);
  // The next manifest may name it.
  return known && toldOf(digest, known.firstMs);
}

/** What the store knows of it is not enough: an index names manifests whose layers nobody has seen yet. */
async function seeManifest(
  question: Question,
  digest: string,
  scene: AskScene,
): Promise<ToldVersions | undefined> {
  const read = await readManifest(question, manifestTypes, scene);
  if (read === undefined || read === 'absent') return read && toldOf(digest, undefined);
  if (!isDigestOf(digest, read)) return undefined;
  return toldOf(digest, await see(question.asked, digest, read, scene));
}

/** What it stands for is asked for each time: it may be something else by now. */
async function seenByTag(question: Question, scene: AskScene): Promise<SeenImage> {
  // Some registries choose by it what the tag stands for.
  const accept = scene.access.headers.all('accept').join(', ') || '*/*';
  const read = await readManifest(question, accept, scene);
  if (read === undefined || read === 'absent') return {};
  const hash = createHash('sha256').update(read);
  const digest = `sha256:${hash.copy().digest('hex')}`;
  const ms = await see(question.asked, digest, read, scene);
  const image: AskedPackage = { ...question.asked, part: digest };
  if (ms !== undefined) scene.parts.publishTimes.note(image, toldOf(digest, ms));
  return { ms, promised: `sha256-${hash.digest('base64')}` };
}

/** The manifest, and all that it names from then on. Undefined: nobody can tell what it names. */
async function see(
  asked: AskedPackage,
  digest: string,
  octets: Uint8Array,
  { asking, parts: { seenVersions } }: AskScene,
): Promise<number | undefined> {
  const named = namedInManifest(octets, defaultLimits.imagePartsMax);
  if (named === undefined) return undefined;
  const owner = accountOf(asking.principal);
  const firstMs = (await seenVersions.see(asked, [{ item: digest }], owner)).get(digest)?.firstMs;
  if (firstMs === undefined) return undefined;
  const parts = named.map((item) => ({ item }));
  const seen = await seenVersions.see(asked, parts, owner, firstMs);
  // What the session may not see that day is seen by the next request.
  return named.every((one) => seen.has(one)) ? firstMs : undefined;
}

/** Undefined: the registry could not say it. */
async function readManifest(
  question: Question,
  accept: string,
  { asking, parts }: AskScene,
): Promise<Uint8Array | 'absent' | undefined> {
  const { head } = question;
  const bounds = {
    limit: 'imageManifestBytesMax',
    bytesMax: defaultLimits.imageManifestBytesMax,
    factor: 3,
  } as const;
  const asked = { ...question, head: { ...head, headers: head.headers.with('accept', accept) } };
  const response = await askRegistry(
    asked,
    asking,
    parts,
    (keep, spend) => new CollectOctets(keep, spend, bounds),
  );
  if (response?.status === 404) return 'absent';
  return response?.status === 200 ? response.octets : undefined;
}

function isDigestOf(address: string, octets: Uint8Array): boolean {
  const promised = digestOfAddress(address) ?? '';
  const algorithm = promised.slice(0, promised.indexOf('-'));
  return `${algorithm}-${createHash(algorithm).update(octets).digest('base64')}` === promised;
}

const toldOf = (digest: string, ms: number | undefined): ToldVersions => ({
  times: new Map(ms === undefined ? [] : [[digest, ms]]),
  digests: new Map(),
});
