// What a repository of Maven promises of a file: in files beside it, the strongest that exists.

import type { DecidedPackage } from '../../policy/decision.ts';
import type { FirstSeen } from '../../store/first-seen-store.ts';
import { digestOfHex } from '../../understand/packages/promised-digest.ts';
import { askedOf, type PromisedPackage } from '../packages/asked-package.ts';
import { CollectOctets } from '../packages/collect-octets.ts';
import { mavenFilePath } from '../packages/metadata-address.ts';
import type { AskedPackage, ToldVersions } from '../packages/publish-times.ts';
import { type AskScene, askRegistry, questionAt } from './ask-registry.ts';
import { accountOf } from './spending-accounts.ts';

const algorithms = ['sha512', 'sha256', 'sha1'] as const;

/** What is promised of a file, and where that was asked for. */
export async function promisedBeside(
  fetched: DecidedPackage,
  file: string,
  scene: AskScene,
): Promise<PromisedPackage | undefined> {
  const asked = askedBeside(fetched, file, scene);
  if (asked === undefined) return undefined;
  const ask = (): Promise<ToldVersions | undefined> => seeBeside(asked, file, scene);
  const keys = { promisedAs: file, version: file };
  const told = await scene.parts.publishTimes.promiseOf(asked, keys, ask, true);
  return told && { ...told, asked };
}

/** When the first promise of a file was seen. @throws ProxyError if the registry cannot be asked, or the store */
export async function seenBeside(
  fetched: DecidedPackage,
  file: string,
  scene: AskScene,
): Promise<number | undefined> {
  const asked = askedBeside(fetched, file, scene);
  if (asked === undefined) return undefined;
  return await scene.parts.publishTimes.timeOf(asked, file, () => seeBeside(asked, file, scene));
}

function askedBeside(fetched: DecidedPackage, file: string, scene: AskScene): AskedPackage | undefined {
  const part = `${fetched.version ?? ''}/${file}`;
  const own: AskedPackage = { ...askedOf(fetched, scene.access, []), part };
  // Those who are let in by other credentials are told of other files.
  return questionAt(own, mavenFilePath(own, 'sha1'), scene)?.asked;
}

/** The first promise that a gateway of this store saw stays: it is not asked for again. */
async function seeBeside(
  asked: AskedPackage,
  file: string,
  scene: AskScene,
): Promise<ToldVersions | undefined> {
  const { seenVersions } = scene.parts;
  const { part = '' } = asked;
  const [known] = (await seenVersions.find(asked, [part])).values();
  if (known !== undefined) return toldOf(file, known);
  const told = await askBeside(asked, file, scene);
  const digest = told?.digests.get(file);
  if (digest === undefined || !(await isDelivered(asked, scene))) return told;
  // A snapshot is published again under its name: each counts by itself, and nothing of it stays.
  const item = part.includes('-SNAPSHOT/') ? `${part}#${digest}` : part;
  const owner = accountOf(scene.asking.principal);
  const [seen] = (await seenVersions.see(asked, [{ item, digest }], owner)).values();
  return seen === undefined ? told : toldOf(file, seen);
}

const toldOf = (file: string, { firstMs, digest }: FirstSeen): ToldVersions => ({
  times: new Map([[file, firstMs]]),
  digests: new Map([[file, digest]]),
});

/** Whoever may publish a version could put the promise there days before the file. Where a file is elsewhere, it is there. */
async function isDelivered(asked: AskedPackage, scene: AskScene): Promise<boolean> {
  const question = questionAt(asked, mavenFilePath(asked), scene);
  if (question === undefined) return false;
  // Whoever may fetch the file may ask for its head.
  const head = { ...question.head, method: 'HEAD' };
  const told = await askRegistry(
    { ...question, head },
    scene.asking,
    scene.parts,
    (keep, spend) => new CollectOctets(keep, spend),
  );
  return told !== undefined && [200, 301, 302, 303, 307, 308].includes(told.status);
}

/** Undefined: whether it promises something is not known. */
async function askBeside(
  asked: AskedPackage,
  file: string,
  scene: AskScene,
): Promise<ToldVersions | undefined> {
  for (const algorithm of algorithms) {
    const question = questionAt(asked, mavenFilePath(asked, algorithm), scene);
    if (question === undefined) return undefined;
    const told = await askRegistry(
      question,
      scene.asking,
      scene.parts,
      (keep, spend) => new CollectOctets(keep, spend),
    );
    if (told === undefined) return undefined;
    if (told.status === 404 || told.status === 410) continue;
    if (told.status !== 200) return undefined;
    const digest = digestInFile(Buffer.from(told.octets).toString('latin1'), algorithm);
    // A page that says politely that there is none.
    if (digest === undefined) continue;
    return { times: new Map(), digests: new Map([[file, digest]]) };
  }
  return { times: new Map(), digests: new Map() };
}

/** The digest alone, or before or behind a name, as several tools write it. */
function digestInFile(text: string, algorithm: (typeof algorithms)[number]): string | undefined {
  const found = text
    .split(/[\s=]+/)
    .map((one) => digestOfHex(algorithm, one))
    .filter((one) => one !== undefined);
  const [first] = found;
  return found.every((one) => one === first) ? first : undefined;
}
